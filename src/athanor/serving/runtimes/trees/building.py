"""An ensemble as an ONNX file and a program: what stands before its trees, and behind them.

ONNX Runtime walks the trees: its TreeEnsemble, with thresholds, leaves and sums of double precision
(single where the library has it so). What each output begins with is a tree of one
leaf, so that sums are made in the library's own order.
"""

import inspect
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from athanor.serving.runtimes.folding.nodes import Check, Node, Raw, Unfoldable
from athanor.serving.runtimes.folding.source import (
    Constants,
    Writer,
    function,
    preamble,
)
from athanor.serving.runtimes.trees import forests, lightgbm, singles, xgboost
from athanor.serving.runtimes.trees.types import Ensemble, Tree

_LARGEST_SINGLE = 3.4028234663852886e38
_MOST_NODES = 5_000_000
_LARGEST_LEAVES = 200_000_000
_AT_MOST, _BELOW = 0, 1
"""The operator's numbers of its two comparisons."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltTrees:
    """An ensemble, ready to be proved."""

    program: str
    files: dict[str, bytes]
    settings: dict[str, Any]
    outputs: int
    thresholds: dict[int, list[float]]
    """Of each made column: where the trees decide."""
    tolerance: float


def build_trees(final: Any, made: Sequence[Node], before: Any) -> BuiltTrees:
    """Build the ensemble that `final` is, over these columns; `before` is the step that made them.

    Raises: Unfoldable.
    """
    whole = _ensemble(final)
    if whole.features != len(made):
        raise Unfoldable(f"the trees read {whole.features} columns, {len(made)} are made")
    if sum(len(tree.feature) for tree in whole.trees) > _MOST_NODES:
        raise Unfoldable("the trees have too many nodes")
    sparse = _sparse(before)
    plain = (
        not whole.finite
        and not whole.memberships
        and all(isinstance(node, Raw) and node.place == at for at, node in enumerate(made))
    )
    gathers = whole.gathers
    return BuiltTrees(
        program=_program(whole, made, sparse=sparse),
        files={"model.onnx": _onnx(whole)} | ({"leaves.npy": _leaves(whole)} if gathers else {}),
        settings={
            "single": whole.single,
            "narrow": whole.narrow,
            "plain": plain,
            "gathers": gathers,
        },
        outputs=len(whole.base),
        thresholds=_thresholds(whole),
        tolerance=whole.tolerance,
    )


def _ensemble(final: Any) -> Ensemble:
    final = getattr(final, "wrapped", final)
    library = type(final).__module__.split(".")[0]
    if library == "lightgbm":
        return lightgbm.ensemble(final)
    if library == "xgboost":
        return xgboost.ensemble(final)
    if library == "sklearn":
        return forests.ensemble(final)
    raise Unfoldable(f"{type(final).__name__} is no ensemble of trees that is known")


def _sparse(before: Any) -> bool:
    """Whether the step before the trees hands them sparse rows."""
    said = getattr(before, "sparse_output_", None)
    return bool(said if said is not None else getattr(before, "sparse_output", False))


def _program(whole: Ensemble, made: Sequence[Node], *, sparse: bool) -> str:
    constants = Constants()
    writer = Writer(constants)
    names = []
    for node in made:
        if whole.finite:
            checked: Node = Check(node, whole.missing and not sparse, _LARGEST_SINGLE)
            name = writer.value(checked)
        else:
            name = writer.value(node)
        if sparse and whole.zeros_missing:
            name = f"{name} or nan"
        names.append(name)
    for item in whole.memberships:
        known = constants.name(dict.fromkeys(sorted(item.categories), 0.0))
        value = writer.value(made[item.feature])
        names.append(f"{known}.get(int({value}), 1.0) if -1.0 < {value} < 2147483648.0 else 1.0")
    lines = [*writer.lines, f"return [{', '.join(names)}]"]
    texts = [
        preamble(),
        inspect.getsource(singles),
        constants.text,
        function("features", "row", lines),
        function("finish", "z", whole.finish),
    ]
    return "\n\n".join(texts)


def _thresholds(whole: Ensemble) -> dict[int, list[float]]:
    found: dict[int, set[float]] = {}
    for tree in whole.trees:
        for feature, threshold in zip(tree.feature, tree.threshold, strict=True):
            if feature < 0:
                continue
            if feature < whole.features:
                found.setdefault(feature, set()).add(threshold)
            else:
                made = whole.memberships[feature - whole.features]
                found.setdefault(made.feature, set()).update(map(float, made.categories))
    if whole.single or whole.narrow:
        for values in found.values():
            near = np.array(sorted(values), np.float32)
            for side in (np.inf, -np.inf):
                values.update(np.nextafter(near, np.float32(side)).astype(float).tolist())
    return {place: sorted(values) for place, values in found.items()}


def _onnx(whole: Ensemble) -> bytes:
    """The file: one TreeEnsemble (ai.onnx.ml 5), whose leaves add one number to one sum each.

    Where leaves add several numbers, there is a sum a tree, to which each leaf adds its place in
    `_leaves`.
    """
    gathers = whole.gathers
    first = Tree()
    first.add_leaf(tuple(enumerate(whole.base)))
    trees = [*whole.trees] if gathers or not any(whole.base) else [*_alone(first), *whole.trees]
    table = _Table()
    for number, tree in enumerate(trees):
        table.add(tree, number if gathers else -1)
    kind = np.float32 if whole.single else np.float64
    outputs = len(trees) if gathers else len(whole.base)
    node = helper.make_node(
        "TreeEnsemble",
        ["x"],
        ["z"],
        domain="ai.onnx.ml",
        n_targets=outputs,
        aggregate_function=1,
        post_transform=0,
        tree_roots=table.roots,
        nodes_featureids=table.features,
        nodes_splits=numpy_helper.from_array(np.array(table.splits, kind), "splits"),
        nodes_modes=numpy_helper.from_array(
            np.full(len(table.features), _BELOW if whole.strict else _AT_MOST, np.uint8), "modes"
        ),
        nodes_truenodeids=table.true_nodes,
        nodes_trueleafs=table.true_leaves,
        nodes_falsenodeids=table.false_nodes,
        nodes_falseleafs=table.false_leaves,
        nodes_missing_value_tracks_true=table.missing,
        leaf_targetids=table.targets,
        leaf_weights=numpy_helper.from_array(np.array(table.weights, kind), "weights"),
    )
    element = TensorProto.FLOAT if whole.single else TensorProto.DOUBLE
    width = whole.features + len(whole.memberships)
    graph = helper.make_graph(
        [node],
        "trees",
        [helper.make_tensor_value_info("x", element, [None, width])],
        [helper.make_tensor_value_info("z", element, [None, outputs])],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 5)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    text: bytes = model.SerializeToString()
    return text


def _alone(tree: Tree) -> list[Tree]:
    """A tree of one leaf that adds several numbers, as trees of one number each."""
    made = []
    for add in tree.leaf[0]:
        one = Tree()
        one.add_leaf((add,))
        made.append(one)
    return made


class _Table:
    """Nodes and leaves of all trees, as the operator wants them: inner nodes and leaves apart."""

    def __init__(self) -> None:
        self.roots: list[int] = []
        self.features: list[int] = []
        self.splits: list[float] = []
        self.true_nodes: list[int] = []
        self.true_leaves: list[int] = []
        self.false_nodes: list[int] = []
        self.false_leaves: list[int] = []
        self.missing: list[int] = []
        self.targets: list[int] = []
        self.weights: list[float] = []

    def add(self, tree: Tree, gathered: int) -> None:
        """Append a tree; `gathered` is the sum that takes its leaves' places, or -1."""
        start = len(self.features)
        self.roots.append(start)
        inner = [node for node, feature in enumerate(tree.feature) if feature >= 0]
        places = {node: start + at for at, node in enumerate(inner)}
        for node, feature in enumerate(tree.feature):
            if feature < 0:
                places[node] = len(self.weights)
                target, weight = tree.leaf[node][0] if gathered < 0 else (gathered, float(node))
                self.targets.append(target)
                self.weights.append(weight)
        if not inner:  # the operator wants an inner node: both of its ways lead to the leaf
            self._node(0, 0.0, (places[0], True), (places[0], True), missing=False)
        for node in inner:
            left, right = tree.left[node], tree.right[node]
            self._node(
                tree.feature[node],
                tree.threshold[node],
                (places[left], tree.feature[left] < 0),
                (places[right], tree.feature[right] < 0),
                missing=tree.missing_left[node],
            )

    def _node(
        self,
        feature: int,
        split: float,
        true: tuple[int, bool],
        false: tuple[int, bool],
        *,
        missing: bool,
    ) -> None:
        self.features.append(feature)
        self.splits.append(split)
        self.true_nodes.append(true[0])
        self.true_leaves.append(int(true[1]))
        self.false_nodes.append(false[0])
        self.false_leaves.append(int(false[1]))
        self.missing.append(int(missing))


def _leaves(whole: Ensemble) -> bytes:
    """What each leaf of each tree adds, as a file of numpy: shape (trees, nodes, outputs)."""
    most = max(len(tree.feature) for tree in whole.trees)
    values = np.zeros((len(whole.trees), most, len(whole.base)))
    for number, tree in enumerate(whole.trees):
        for node, adds in enumerate(tree.leaf):
            for target, weight in adds:
                values[number, node, target] = weight
    if values.nbytes > _LARGEST_LEAVES:
        raise Unfoldable(f"its leaves would take {values.nbytes // 1_000_000} MB")
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()
