"""Writes the program of `encoded`, and shows that it gives the model's own bits."""

import logging
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from athanor.registry.packaging import LoadedModel
from athanor.serving.logic.frames import Reply
from athanor.serving.logic.signature import Row
from athanor.serving.runtimes.encoded import Encoded
from athanor.serving.runtimes.folding.nodes import Unfoldable, is_text
from athanor.serving.runtimes.folding.source import (
    Constants,
    Writer,
    column_of,
    function,
    preamble,
)
from athanor.serving.runtimes.folding.steps import encoded, hints_of
from athanor.serving.runtimes.proof import proof_rows
from athanor.serving.types import InputColumn

if TYPE_CHECKING:
    from athanor.serving.runtimes.native import NativeRuntime

logger = logging.getLogger(__name__)

_MOST_COLUMNS = 1_000
"""Columns made for the last step: wide ones (words of a text) are sparse there."""


def proved(native: "NativeRuntime", model: LoadedModel) -> str:
    """The program of a model's steps before the last; "" where none gives the model's answers."""
    try:
        return _proved(native, model)
    except Unfoldable as reason:
        logger.info("The model's steps run as they are: %s", reason)
    except Exception:  # the model's own way is there whatever happens here
        logger.exception("The model's steps could not be written as a program")
    return ""


def _proved(native: "NativeRuntime", model: LoadedModel) -> str:
    columns = [
        InputColumn(name=item.name, type=item.type, required=item.required)
        for item in model.signature
    ]
    made, _ = encoded(model.estimator, columns)
    if read := next(filter(is_text, made), None):
        raise Unfoldable(f"its last step reads texts of column {column_of(read)!r}")
    if len(made) > _MOST_COLUMNS:
        raise Unfoldable(f"its last step reads {len(made)} columns")
    constants = Constants()
    writer = Writer(constants)
    names = [writer.value(node) for node in made]
    text = function("features", "row", [*writer.lines, f"return [{', '.join(names)}]"])
    program = f"{preamble()}\n\n{constants.text}\n\n{text}"
    quick = Encoded(native, model, program)
    rows = proof_rows(columns, [], hints_of(made, {}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if all(quick.quick([row]) is None for row in rows["random"]):
            raise Unfoldable("its last step takes nothing that the program makes")
        same = all(_same(quick, native, group) for group in rows.values())
    return program if same else ""


def _same(quick: Encoded, native: "NativeRuntime", rows: Sequence[Row]) -> bool:
    """Whether what the quick way answers is what the model does, alone and together."""
    found = [(row, quick.quick([row])) for row in rows]
    taken = [(row, reply) for row, reply in found if reply is not None]
    if not taken:
        return True
    asked = [row for row, _ in taken]
    try:
        expected = native.predict(asked)
    except Exception:  # noqa: BLE001 - the model refuses what was answered
        return False
    labels = [label for _, reply in taken for label in reply.labels]
    alone = Reply(labels, b"".join(reply.numbers for _, reply in taken))
    together = quick.quick(asked) if native.hello.batching == "whole" else alone
    return alone == expected == together
