"""`sql_step`: a `.sql` file as a building block of pipelines.

Its named parameters (`$limit`) are inputs, and so are the tables that it reads by name. It becomes
a small function over DuckDB, so that text, parameters and result are in the lineage like any
step's.
"""

import ast
import re
import sys
from functools import cached_property
from pathlib import Path
from typing import Any, Unpack

from athanor.pipelines.authoring.interface import Input, Interface, Kind, kind_of_value
from athanor.pipelines.authoring.settings import StepSettings
from athanor.pipelines.authoring.steps import Step
from athanor.pipelines.authoring.tracing import current_trace
from athanor.pipelines.authoring.values import Reference, Task
from athanor.pipelines.errors import BadStep, MissingInput, UnknownInput
from athanor.pipelines.ir.spec import ContainerSpec
from athanor.pipelines.logic.embedding import Embedded

_APART = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
"""Texts, quoted names and comments, in which nothing is a parameter."""
_READ = re.compile(r"\b(?:from|join)\s+([A-Za-z_]\w*)", re.IGNORECASE)
_PARAMETER = re.compile(r"\$([A-Za-z_]\w*)")
_DECLARED = re.compile(
    r"^--\s*\$(?P<name>[A-Za-z_]\w*)\s*:\s*(?P<type>str|int|float|bool|list|dict)"
    r"(?:\s*=\s*(?P<default>[^\n]+?))?\s*$",
    re.MULTILINE,
)
_SOURCE = """\
import duckdb
import pyarrow

QUERY = {query!r}


def {name}({inputs}) -> pyarrow.Table:
    connection = duckdb.connect(config={{"enable_external_access": "false"}})
    connection.execute("SET TimeZone = 'UTC'")
    for table, rows in {tables}.items():
        connection.register(table, rows)
    return connection.sql(QUERY, params={parameters}).to_arrow_table()
"""


class SqlStep:
    """One query. Called in a pipeline, it adds a task; called elsewhere, it is run right here."""

    def __init__(self, query: str, file: str, settings: StepSettings) -> None:
        self.query = query
        self.file = file
        self.settings = settings
        self.name = settings.get("name") or (Path(file).stem if file else "query")

    def __repr__(self) -> str:
        return f"<sql step {self.name}>"

    @cached_property
    def declared(self) -> dict[str, tuple[Kind, Any]]:
        """Parameters with types and defaults, of comments such as `-- $limit: int = 10`."""
        kinds = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict}
        found: dict[str, tuple[Kind, Any]] = {}
        for item in _DECLARED.finditer(self.query):
            default: Any = Input.__dataclass_fields__["default"].default
            if item["default"] is not None:
                default = _constant(self.name, item["name"], item["default"])
            kind = kind_of_value(kinds[item["type"]]())
            found[item["name"]] = (kind or Kind(parameter="STRING"), default)
        return found

    @cached_property
    def parameters(self) -> list[str]:
        """The names of its parameters, in the order of the text."""
        return list(dict.fromkeys(_PARAMETER.findall(_APART.sub(" ", self.query))))

    def __call__(self, **inputs: Any) -> Any:
        """Add a task, or run the query on tables at hand.

        Raises: MissingInput for a parameter without a value; UnknownInput for a table that the
        query does not name.
        """
        given = {
            name: value.single() if isinstance(value, Task) else value
            for name, value in inputs.items()
        }
        for name in self.parameters:
            if name not in given and not self._has_default(name):
                raise MissingInput(f"SQL step {self.name!r}", name, given)
        text = _APART.sub(lambda found: found[0] if found[0].startswith('"') else " ", self.query)
        for name in given:
            if name not in self.parameters and not re.search(rf"\b{re.escape(name)}\b", text):
                raise UnknownInput(
                    f"SQL step {self.name!r}", name, [*self.parameters, *_tables(text)]
                )
        bound = _BoundQuery(self, self._interface(given))
        trace = current_trace()
        if trace is not None:
            return trace.add_step(bound, (), given)
        space: dict[str, Any] = {}
        exec(bound.source, space)  # noqa: S102 - our own text around the author's query
        return space[bound.function_name](**given)

    def _has_default(self, name: str) -> bool:
        return (
            name in self.declared
            and Input(name=name, kind=None, default=self.declared[name][1]).has_default
        )

    def _interface(self, given: dict[str, Any]) -> Interface:
        inputs = {
            name: Input(name=name, kind=Kind(artifact="table"))
            for name in given
            if name not in self.parameters
        }
        for name in self.parameters:
            if name in self.declared:
                kind, default = self.declared[name]
                inputs[name] = Input(name=name, kind=kind, default=default)
                continue
            value = given[name]
            found = value.kind if isinstance(value, Reference) else kind_of_value(value)
            if found is None:
                raise BadStep(
                    f"Parameter ${name} of SQL step {self.name!r} is a {type(value).__name__}.",
                    hint="Give a text, a number, a bool, a list or a mapping.",
                )
            inputs[name] = Input(name=name, kind=found)
        return Interface(inputs=inputs, outputs={"Output": Kind(artifact="table")})


class _BoundQuery(Step[Any, Any]):
    """A query with the inputs of one call."""

    def __init__(self, query: SqlStep, interface: Interface) -> None:
        self.name = query.name
        self.settings = query.settings
        self._query = query
        self._interface = interface
        self.function_name = re.sub(r"\W", "_", query.name)

    @property
    def interface(self) -> Interface:
        """What this call takes and gives."""
        return self._interface

    @cached_property
    def source(self) -> str:
        """The query as a Python function."""
        words = {
            "STRING": "str",
            "NUMBER_INTEGER": "int",
            "NUMBER_DOUBLE": "float",
            "BOOLEAN": "bool",
            "LIST": "list",
            "STRUCT": "dict",
        }
        kinds = {name: item.kind or Kind() for name, item in self._interface.inputs.items()}
        tables = [name for name, kind in kinds.items() if not kind.parameter]
        signature = [f"{name}: pyarrow.Table" for name in tables]
        for name, kind in kinds.items():
            if kind.parameter:
                item = self._interface.inputs[name]
                default = f" = {item.default!r}" if item.has_default else ""
                signature.append(f"{name}: {words.get(kind.parameter, 'str')}{default}")
        named = [name for name in kinds if name not in tables]
        return _SOURCE.format(
            query=self._query.query,
            name=self.function_name,
            inputs=", ".join(signature),
            tables=_mapping(tables),
            parameters=_mapping(named),
        )

    @cached_property
    def container(self) -> ContainerSpec:
        """The function as a component's container."""
        return self._contained(
            Embedded(function=self.function_name, source=self.source, file=self._query.file)
        )


def sql_step(query: str | Path, **settings: Unpack[StepSettings]) -> SqlStep:
    """A `.sql` file (beside the file that calls this, or from the working folder) as a step.

    `top = sql_step("top.sql")`, then `top(churn=table, limit=10)` in a pipeline: `$limit` is a
    parameter of the query and `churn` a table that it reads. A comment `-- $limit: int = 10` gives
    a parameter its type and default. A query's text may be given in place of a path.

    Raises: BadStep where there is no such file.
    """
    text = str(query)
    if isinstance(query, Path) or text.strip().endswith(".sql"):
        caller = Path(sys._getframe(1).f_code.co_filename).parent  # noqa: SLF001 - the author's file
        places = [Path(query), caller / query]
        found = next((place for place in reversed(places) if place.is_file()), None)
        if found is None:
            raise BadStep(f"There is no SQL file {text!r}.", hint=f"It is looked for in {caller}.")
        return SqlStep(found.read_text("utf-8"), str(found), settings)
    return SqlStep(text, "", settings)


def _tables(text: str) -> list[str]:
    """What a query seems to read, for messages."""
    return list(dict.fromkeys(_READ.findall(text)))


def _mapping(names: list[str]) -> str:
    return "{" + ", ".join(f'"{name}": {name}' for name in names) + "}"


def _constant(step: str, name: str, text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        raise BadStep(
            f"The default of ${name} in SQL step {step!r} is no constant: {text}.",
            hint="Write it as in Python: -- $limit: int = 10",
        ) from None
