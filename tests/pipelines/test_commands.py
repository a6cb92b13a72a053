"""The command line: what its words mean."""

from typing import Any, cast

import pytest

from athanor.pipelines.client import PipelinesClient
from athanor.pipelines.commands.runs import placed

RUN = "01a2018a705b7000a5d91037958e6f33"


@pytest.mark.parametrize(
    "words", [(RUN, "train", None), (None, f"{RUN}/train", None), (None, RUN, "train")]
)
def test_a_task_is_named_with_its_run_in_any_form(words: Any) -> None:
    client = PipelinesClient(cast("Any", None))  # which nobody asks
    assert placed(client, *words) == (RUN, "train")
