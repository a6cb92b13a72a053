"""Operations on days, times and instants."""

from athanor.data.logic.recipes.kinds import TIMES
from athanor.data.logic.recipes.syntax import Call, Name, call
from athanor.data.logic.recipes.table import Context, Operation, Parameter, Plan, register
from athanor.data.logic.recipes.typed import PARTS, UNITS

_PIECES = ("year", "quarter", "month", "week", "day", "weekday", "day_of_year", "hour", "minute",
           "second")  # fmt: skip


def _local(step: Context, name: str) -> Call | Name:
    """A time on the wall clock of the step's zone."""
    if not step["zone"]:
        return Name(name)
    if step.schema[name] != "instant":
        raise step.wrong(f"{name!r} has no zone: `zone` is for instants.",
                         "Make it an instant by a step `to_instant` before.")  # fmt: skip
    return call("in_zone", Name(name), step["zone"])


def _parse(step: Context) -> Plan:
    function = "parse_date" if step["to"] == "date" else "parse_timestamp"
    found = step.expression(call(function, Name(step["column"]), step["format"]))
    return step.with_columns({step["name"] or step["column"]: found})


def _format(step: Context) -> Plan:
    found = step.expression(call("format_time", Name(step["column"]), step["format"]))
    return step.with_columns({step["name"] or step["column"]: found})


def _pieces(step: Context) -> Plan:
    name = step["column"]
    cell = _local(step, name)
    changed = {}
    for piece in step["parts"]:
        if piece not in _PIECES and piece != "weekend":
            known = ", ".join((*_PIECES, "weekend"))
            raise step.wrong(f"there is no part {piece!r}; there are {known}.")
        tree = call(">=", call("weekday", cell), 6) if piece == "weekend" else call(piece, cell)
        changed[f"{name}_{piece}"] = step.expression(tree)
    return step.with_columns(changed)


def _truncate(step: Context) -> Plan:
    found = step.expression(call("truncate", _local(step, step["column"]), step["unit"]))
    return step.with_columns({step["name"] or step["column"]: found})


def _shift(step: Context) -> Plan:
    found = step.expression(call("shift", Name(step["column"]), step["amount"], step["unit"]))
    return step.with_columns({step["name"] or step["column"]: found})


def _difference(step: Context) -> Plan:
    cells = [Name(step[side]) for side in ("start", "end")]
    return step.with_columns({
        step["name"]: step.expression(call("difference", *cells, step["unit"]))
    })  # fmt: skip


def _to_instant(step: Context) -> Plan:
    found = step.expression(call("from_zone", Name(step["column"]), step["zone"]))
    return step.with_columns({step["name"] or step["column"]: found})


def _from_instant(step: Context) -> Plan:
    found = step.expression(call("in_zone", Name(step["column"]), step["zone"]))
    return step.with_columns({step["name"] or step["column"]: found})


_COLUMN = Parameter(name="column", kind="column", words="a column of times", columns=TIMES)
_TO = Parameter(name="name", kind="name", words="the new column; without it the column is replaced",
                required=False, default="")  # fmt: skip
_ZONE = Parameter(name="zone", kind="text", words="for instants: on the wall clock of a zone such "
                  "as Europe/Berlin; without it in UTC", required=False, default="")  # fmt: skip

register(Operation(
    name="parse_time", group="dates", words="Read {column} as times written {format}",
    plan=_parse, serving="row",
    parameters=(
        Parameter(name="column", kind="column", words="a column of texts", columns=("text",)),
        Parameter(name="format", kind="text", words="with %Y %y %m %b %d %H %M %S %f"),
        Parameter(name="to", kind="choice", words="days or times", choices=("date", "timestamp"),
                  required=False, default="timestamp"),
        _TO,
    ),
    cases=({"column": "stamp", "format": "%d.%m.%y %H:%M"},
           {"column": "stamp", "format": "%Y-%b-%d %H:%M:%S.%f", "name": "read"},
           {"column": "stamp", "format": "%d.%m.%y %H:%M", "to": "date"}),
))  # fmt: skip
register(Operation(
    name="format_time", group="dates", words="Write {column} as {format}", plan=_format,
    serving="row",
    parameters=(_COLUMN, Parameter(name="format", kind="text", words="with %Y %m %d %H %M %S"),
                _TO),
    cases=({"column": "at", "format": "%Y-%m"}, {"column": "day", "format": "%d/%m/%Y",
                                                 "name": "written"}),
))  # fmt: skip
register(Operation(
    name="time_parts", group="dates", words="Take {parts} of {column}", plan=_pieces,
    serving="row",
    parameters=(
        _COLUMN,
        Parameter(name="parts", kind="names", words=f"of {', '.join(_PIECES)}, weekend"), _ZONE,
    ),
    cases=({"column": "at", "parts": [*_PIECES, "weekend"]},
           {"column": "day", "parts": ["weekday", "week", "quarter"]},
           {"column": "instant", "parts": ["hour", "day", "weekend"], "zone": "Europe/Berlin"},
           {"column": "instant", "parts": ["hour", "minute"], "zone": "Australia/Lord_Howe"}),
))  # fmt: skip
register(Operation(
    name="truncate_time", group="dates", words="Cut {column} down to its {unit}", plan=_truncate,
    serving="row",
    parameters=(_COLUMN, Parameter(name="unit", kind="choice", words="to what", choices=PARTS),
                _ZONE, _TO),
    cases=(*({"column": "at", "unit": unit} for unit in PARTS),
           {"column": "instant", "unit": "day", "zone": "America/New_York", "name": "local"}),
))  # fmt: skip
register(Operation(
    name="shift_time", group="dates", words="Move {column} by {amount} {unit}", plan=_shift,
    serving="row",
    parameters=(
        _COLUMN,
        Parameter(name="amount", kind="integer", words="how many; below 0: back",
                  least=-1_000_000_000, most=1_000_000_000),
        Parameter(name="unit", kind="choice", words="of what", choices=UNITS), _TO,
    ),
    cases=(*({"column": "at", "amount": 13, "unit": unit} for unit in UNITS),
           {"column": "day", "amount": -1, "unit": "months"},
           {"column": "day", "amount": 30, "unit": "hours", "name": "later"},
           {"column": "instant", "amount": -8000, "unit": "years"}),
))  # fmt: skip
register(Operation(
    name="time_difference", group="dates", words="Compute {name}, the {unit} from {start} to {end}",
    plan=_difference, serving="row",
    parameters=(
        Parameter(name="start", kind="column", words="from when", columns=TIMES),
        Parameter(name="end", kind="column", words="to when", columns=TIMES),
        Parameter(name="unit", kind="choice", words="in what",
                  choices=("days", "hours", "minutes", "seconds")),
        Parameter(name="name", kind="name", words="what the new column is called"),
    ),
    cases=({"start": "day", "end": "at", "unit": "days", "name": "age"},
           {"start": "at", "end": "day", "unit": "seconds", "name": "age"}),
))  # fmt: skip
register(Operation(
    name="to_instant", group="dates", words="Read {column} as the wall clock of {zone}",
    plan=_to_instant, serving="row",
    parameters=(
        Parameter(name="column", kind="column", words="times without zone",
                  columns=("timestamp", "date")),
        Parameter(name="zone", kind="text", words="such as Europe/Berlin"), _TO,
    ),
    cases=({"column": "at", "zone": "Europe/Berlin"},
           {"column": "day", "zone": "America/Sao_Paulo", "name": "since"}),
))  # fmt: skip
register(Operation(
    name="from_instant", group="dates", words="Show {column} on the wall clock of {zone}",
    plan=_from_instant, serving="row",
    parameters=(
        Parameter(name="column", kind="column", words="instants", columns=("instant",)),
        Parameter(name="zone", kind="text", words="such as Europe/Berlin"), _TO,
    ),
    cases=({"column": "instant", "zone": "Asia/Kolkata"},
           {"column": "instant", "zone": "America/New_York", "name": "local"}),
))  # fmt: skip
