"""The nouns of recipes: steps, versions, what operations take, previews, and what was learnt."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from athanor.data.types.datasets import Profile

RECIPE_FORMAT = 1
"""Of a recipe's JSON."""
Serving = Literal["row", "skip", "no"]
ExportForm = Literal["sql", "pandas", "json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One operation of a recipe with its parameters."""

    operation: str
    parameters: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    """Why, in its author's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One immutable version of a recipe."""

    name: str
    number: int
    """1, 2, 3 ... per recipe."""
    steps: tuple[Step, ...]
    description: str = ""
    digest: str
    """Of the steps, whatever the version is called."""
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecipe:
    """What a recipe is to be from now on."""

    steps: tuple[Step, ...]
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationParameter:
    """What an operation takes."""

    name: str
    kind: str
    """"column", "columns", "formula", "integer", "choice" ..."""
    words: str
    required: bool
    default: Any = None
    choices: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    """The kinds of columns that it may name; empty: all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationInfo:
    """An operation as the table of operations has it."""

    name: str
    group: str
    words: str
    """What it does, with its parameters' names in braces."""
    parameters: tuple[OperationParameter, ...]
    schema: dict[str, Any]
    """JSON Schema of its parameters."""
    serving: Serving
    """Row by row: `row` runs, `skip` lets every row pass, `no` is refused."""
    learns: bool
    """Whether it learns from the data that the recipe is fitted on."""
    example: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeColumn:
    """A column of a recipe's table."""

    name: str
    kind: str
    """"integer", "number", "boolean", "text", "date", "timestamp", "instant" or "other"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionInfo:
    """A function of formulas."""

    name: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnEffect:
    """What a step did to one column."""

    column: str
    change: Literal["added", "removed", "changed", "same"]
    kind_before: str = ""
    kind_after: str = ""
    missing_before: int | None = None
    missing_after: int | None = None
    distinct_before: int | None = None
    distinct_after: int | None = None
    mean_before: float | None = None
    mean_after: float | None = None
    minimum_before: float | str | None = None
    minimum_after: float | str | None = None
    maximum_before: float | str | None = None
    maximum_after: float | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEffect:
    """What a step did to the sample."""

    number: int
    operation: str
    words: str
    rows_before: int
    rows_after: int
    columns: tuple[ColumnEffect, ...]
    """Only those that it added, removed or changed."""
    learned: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipePreview:
    """A recipe tried on a sample."""

    dataset: str
    sampled: int
    """Rows of the dataset that were looked at."""
    columns: tuple[RecipeColumn, ...]
    rows: tuple[dict[str, Any], ...]
    """The first rows of what came out; at most 100."""
    steps: tuple[StepEffect, ...]
    profile: Profile
    """Of what came out of the sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedRecipe:
    """A recipe with what it learnt: all that replays it, also row by row."""

    recipe: str
    """NAME@N."""
    steps: tuple[Step, ...]
    source: tuple[RecipeColumn, ...]
    """The columns that it expects."""
    columns: tuple[RecipeColumn, ...]
    """The columns that it gives."""
    learned: dict[str, dict[str, Any]]
    """By the step's number, from 1."""
    learned_from: str
    """NAME@N of the dataset; empty where there was nothing to learn."""
    artifact_id: str = ""
    digest: str = ""
    format_version: int = RECIPE_FORMAT


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What came of applying a recipe."""

    recipe: str
    source: str
    learned_from: str
    rows: int
    digest: str
    """Of the rows in their order."""
    dataset: str = ""
    """NAME@N of the version that was made; empty where only a table was."""
    state: str = ""
    artifact_id: str = ""
    run_id: str = ""
    fitted_id: str = ""
    """The artifact of the fitted recipe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The three forms of a recipe on one table, compared."""

    recipe: str
    source: str
    rows: int
    sql: str
    """The digest of what DuckDB gave."""
    pandas: str
    by_row: str
    """"" where a step needs other rows."""
    equal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeCode:
    """A recipe as code."""

    recipe: str
    form: ExportForm
    file: str
    """What the file is best called."""
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewOrder:
    """What is to be tried, on which dataset."""

    dataset: str
    recipe: str = ""
    """NAME or NAME@2; empty: the steps that are given here."""
    steps: tuple[Step, ...] = ()
    upto: int | None = None
    """Only so many of the steps."""
    sample: int = 10_000
    """Rows that are looked at: every so-manieth of the dataset's."""
    rows: int = 20
    """Rows that come back, at most 100."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyOrder:
    """A recipe, and what becomes of it."""

    dataset: str
    into: str = ""
    """The dataset whose next version the result becomes; empty: a table of its own."""
    learned_from: str = ""
    """The dataset that it learns from; empty: the one that it is applied to."""
    fitted: str = ""
    """The id of a fitted recipe, which learns nothing more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsOrder:
    """Rows that are to be prepared as serving does."""

    rows: list[dict[str, Any]]
