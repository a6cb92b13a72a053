"""How the schema of a dataset may grow by a file, under the rule that was chosen for it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from athanor.data.errors import SchemaChanged
from athanor.data.logic.expectations import typed_columns
from athanor.data.logic.forms import repeated
from athanor.data.logic.normalise import column_type
from athanor.data.logic.orders import DateOrder, by_column
from athanor.data.logic.plans import STORED, Kind
from athanor.data.types import Expectation, SchemaRule
from athanor.data.work.earlier import Base, merged, schema_of
from athanor.data.work.reading import Reading

_GROWS = frozenset(
    {
        frozenset({"integer", "number"}),
        frozenset({"integer", "decimal"}),
        frozenset({"decimal", "number"}),
        frozenset({"date", "timestamp"}),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """A dataset's latest ready version, and the rule for the file that comes after it."""

    base: Base | None
    table_uri: str
    rule: SchemaRule
    append: bool
    look: bool
    expectations: tuple[Expectation, ...] | None

    @property
    def dataset(self) -> str:
        """What it is called."""
        return Path(self.table_uri).name

    def wanted(self) -> dict[str, Kind]:
        """The types that columns must have, by the expectations and the base's stored types."""
        if self.base is None:
            return {}
        known = {column.name: column.type for column in self.base.columns}
        expected = typed_columns(self.expectations or ())
        asked = expected | known if self.append else expected
        return {
            name: known.get(name, kind)  # type: ignore[misc]
            for name, kind in asked.items()
            if known.get(name, kind) in STORED
        }

    def orders(self) -> dict[str, DateOrder]:
        """The order of day and month in the dates of the rows that others come after."""
        if self.base is None or not self.append:
            return {}
        return by_column({column.name: column.note for column in self.base.columns})

    def relaxed(self, own: pa.Schema) -> tuple[Expectation, ...] | None:
        """What the rows must fulfil: `union` expects no column, `strict` wants them all.

        Raises: SchemaChanged.
        """
        if self.base is None or self.rule == "widen":
            return self.expectations
        if self.rule == "strict":
            before = {column.name: column.stored for column in self.base.columns}
            after = {field.name: str(field.type) for field in own}
            changes = [f"{name!r} is gone" for name in before if name not in after]
            changes += [f"{name!r} is new" for name in after if name not in before]
            changes += [
                f"{name!r} was {before[name]} and is {kind}"
                for name, kind in after.items()
                if before.get(name, kind) != kind
            ]
            if changes:
                raise SchemaChanged(self.dataset, changes, rule=self.rule)
            return self.expectations
        kept = []
        for item in self.expectations or ():
            if item.kind == "columns":
                wanted = item.parameters.get("columns", {})
                here = {name: kind for name, kind in wanted.items() if name in own.names}
                kept.append(replace(item, parameters=item.parameters | {"columns": here}))
            elif not item.column or item.column in own.names:
                kept.append(item)
        return None if self.expectations is None else tuple(kept)

    def is_apart(self, reading: Reading) -> bool:
        """Whether the check of the columns will fail, which sets the file's rows apart."""
        judged = self.look and any(
            item.kind == "columns" and item.severity == "fail" for item in self.expectations or ()
        )
        expected = set(typed_columns(self.expectations or ()))
        whole = expected <= set(reading.rows.schema().names)
        return judged and (bool(reading.mismatched) or not whole)

    def joined(self, reading: Reading) -> tuple[pa.Schema, bool]:
        """The schema of the table with the file's rows, and whether its old rows must change.

        Rows that are set apart keep their own schema; where nothing checks them, they must fit.
        Raises: SchemaChanged.
        """
        own = reading.rows.schema()
        if self.base is None or not self.append or self.is_apart(reading):
            return own, False
        table = schema_of(self.base)
        changes = [*self._absent(table, own), *_retyped(table, own, reading)]
        if changes:
            raise SchemaChanged(self.dataset, changes, rule=self.rule)
        schema, rewrites = merged(table, own)
        if twice := repeated(schema.names):
            alike = [
                f"{first!r} and {second!r} differ in upper and lower case alone"
                for first, second in _pairs(twice)
            ]
            raise SchemaChanged(self.dataset, alike, rule=self.rule)
        return schema, rewrites

    def _absent(self, table: pa.Schema, own: pa.Schema) -> list[str]:
        if self.rule == "union" or (self.look and self.expectations is not None):
            return []
        near = {name.casefold(): name for name in own.names}
        return [
            f"{name!r} is gone"
            + (f" (the file has {near[name.casefold()]!r})" if name.casefold() in near else "")
            for name in table.names
            if name not in own.names
        ]

    @contextmanager
    def fitting(self, new: pa.Schema) -> Iterator[None]:
        """While rows are brought into the joined schema: values that it can't hold are told.

        Raises: SchemaChanged.
        """
        try:
            yield
        except pa.ArrowException as error:
            table = [] if self.base is None else schema_of(self.base)
            kinds = {field.name: field.type for field in table}
            changes = [
                f"{field.name!r} was {kinds[field.name]} and is {field.type}"
                for field in new
                if kinds.get(field.name, field.type) != field.type
            ]
            said = " ".join(str(error).split())[:200]
            changes.append(f"not every value fits ({said})")
            raise SchemaChanged(self.dataset, changes, rule=self.rule) from error


def _retyped(table: pa.Schema, own: pa.Schema, reading: Reading) -> list[str]:
    """The columns whose new type no rule brings together with the old one."""
    changes = []
    for field in own:
        place = table.get_field_index(field.name)
        if place < 0:
            continue
        before = table.field(place).type
        where = ""
        if field.name in reading.mismatched:
            _, against = reading.mismatched[field.name]
            if against.cells:
                row, value = against.cells[0]
                where = f": row {row} holds {value[:60]!r}"
        elif _fits(before, field.type):
            continue
        changes.append(f"{field.name!r} was {before} and is {field.type}{where}")
    return changes


def _fits(before: pa.DataType, after: pa.DataType) -> bool:
    """Whether values of both can stand in one column; of texts and nested ones, values decide.

    A struct may lack fields that the column has, but bring no others: they would be lost.
    """
    if pa.types.is_struct(before) and pa.types.is_struct(after):
        known = {field.name: field.type for field in before}
        return all(field.name in known and _fits(known[field.name], field.type) for field in after)
    if pa.types.is_list(before) and pa.types.is_list(after):
        return _fits(before.value_type, after.value_type)
    kinds = frozenset({column_type(before), column_type(after)})
    if "text" in kinds:
        return True
    if kinds == {"timestamp"}:
        return (before.tz is None) == (after.tz is None)
    return len(kinds) == 1 or kinds in _GROWS


def _pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    seen: dict[str, str] = {}
    return [
        (first, name) for name in names if (first := seen.setdefault(name.casefold(), name)) != name
    ]
