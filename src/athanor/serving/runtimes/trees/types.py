"""Ensembles of decision trees, whatever library grew them."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tree:
    """One tree: parallel lists, a node each; node 0 is the root.

    An inner node sends a row to `left` where its feature is at most (`Ensemble.strict`: below) the
    threshold, or where it is missing and `missing_left`.
    """

    feature: list[int] = field(default_factory=list)
    """-1 is a leaf."""
    threshold: list[float] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    missing_left: list[bool] = field(default_factory=list)
    leaf: list[tuple[tuple[int, float], ...]] = field(default_factory=list)
    """What a leaf adds: (output, number) pairs; of an inner node nothing."""

    def add_leaf(self, adds: tuple[tuple[int, float], ...]) -> int:
        """Append a leaf; its place."""
        return self._add(-1, 0.0, missing_left=False, adds=adds)

    def add_node(self, feature: int, threshold: float, *, missing_left: bool) -> int:
        """Append an inner node, whose children are set later; its place."""
        return self._add(feature, threshold, missing_left=missing_left, adds=())

    def _add(
        self,
        feature: int,
        threshold: float,
        *,
        missing_left: bool,
        adds: tuple[tuple[int, float], ...],
    ) -> int:
        self.feature.append(feature)
        self.threshold.append(threshold)
        self.left.append(0)
        self.right.append(0)
        self.missing_left.append(missing_left)
        self.leaf.append(adds)
        return len(self.feature) - 1


@dataclass(frozen=True, slots=True)
class Membership:
    """A made feature: 0 where a category is in the set, else 1."""

    feature: int
    categories: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """Trees whose leaves are summed in their order, from `base` on, and the way to the answer."""

    trees: Sequence[Tree]
    base: tuple[float, ...]
    """What each output begins with; its length is the number of outputs."""
    finish: Sequence[str]
    """Lines of Python from `z`, the list of sums, to `return label, numbers`."""
    features: int
    """How many columns it reads."""
    single: bool = False
    """Whether thresholds, leaves and sums are of single precision."""
    narrow: bool = False
    """Whether features are rounded to single precision, and thresholds are not."""
    strict: bool = False
    finite: bool = False
    """Whether infinity is refused, and what single precision does not hold."""
    missing: bool = True
    """Whether missing values are let through."""
    zeros_missing: bool = False
    """Whether 0 counts as missing: so does XGBoost with sparse rows."""
    memberships: Sequence[Membership] = ()
    """Further features, behind the columns."""
    tolerance: float = 0.0

    @property
    def gathers(self) -> bool:
        """Whether leaves add several numbers."""
        return any(len(adds) > 1 for tree in self.trees for adds in tree.leaf)
