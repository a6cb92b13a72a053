"""Formulas and small functions that may run anywhere, the data plane included.

They are Python's own syntax, less all that reaches outside: no imports, no attributes, no loops,
no names but the row's and the functions below, no power or repetition without a bound. What is
left is compiled once, and is the same code in a training set, in an online read and in the plane.
"""

import ast
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from athanor.features.errors import BadFeatureFormula

Row = dict[str, Any]
Compiled = Callable[[Row], Row]

_LONGEST = 20_000
_MOST_DIGITS = 4_096

_ALLOWED: tuple[type[ast.AST], ...] = (
    ast.Expression, ast.Constant, ast.Name, ast.Load, ast.Store, ast.BinOp, ast.UnaryOp,
    ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.keyword, ast.Subscript, ast.Slice,
    ast.List, ast.Tuple, ast.Dict, ast.And, ast.Or, ast.Not, ast.USub, ast.UAdd, ast.Add,
    ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.Eq, ast.NotEq, ast.Lt,
    ast.LtE, ast.Gt, ast.GtE, ast.Is, ast.IsNot, ast.In, ast.NotIn,
)  # fmt: skip
_STATEMENTS: tuple[type[ast.AST], ...] = (
    ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Assign, ast.AnnAssign, ast.AugAssign,
    ast.If, ast.Return, ast.Expr, ast.Pass,
)  # fmt: skip


def expression(name: str, text: str) -> Callable[[Row], Any]:
    """A formula over a row's values; a null in arithmetic gives null.

    Raises: BadFeatureFormula.
    """
    if len(text) > _LONGEST:
        raise BadFeatureFormula(f"The formula of {name!r} is longer than {_LONGEST} characters.")
    try:
        tree = ast.parse(text.strip(), filename=name, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise BadFeatureFormula(f"The formula of {name!r} can't be read: {_told(error)}") from None
    guarded = _Guard(name, _ALLOWED, None).visit(tree)
    code = compile(ast.fix_missing_locations(guarded), name, "eval")
    scope = _scope()

    def run(row: Row) -> Any:
        return eval(code, scope, row)  # noqa: S307 - only what the guard lets through

    return run


def names_of(text: str) -> set[str]:
    """The values that a formula reads.

    Raises: BadFeatureFormula.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise BadFeatureFormula(
            f"The formula {text[:60]!r} can't be read: {_told(error)}"
        ) from None
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called
    }


def function(name: str, text: str) -> Compiled:
    """A Python function of one row (a dict) that returns a dict.

    Raises: BadFeatureFormula.
    """
    if len(text) > _LONGEST:
        raise BadFeatureFormula(f"The function of {name!r} is longer than {_LONGEST} characters.")
    try:
        tree = ast.parse(text, filename=name)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise BadFeatureFormula(f"The function of {name!r} can't be read: {_told(error)}") from None
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    if len(found) != 1 or len(tree.body) != 1:
        raise BadFeatureFormula(
            f"{name!r}: exactly one function is expected, and nothing beside it."
        )
    only = found[0]
    arguments = only.args
    if len(arguments.args) != 1 or arguments.vararg or arguments.kwarg or arguments.kwonlyargs:
        raise BadFeatureFormula(f"{name!r}: the function takes one row, a dict.", line=only.lineno)
    local = {arguments.args[0].arg} | {
        node.id
        for node in ast.walk(only)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    only.decorator_list, only.returns, only.type_params = [], None, []  # type: ignore[attr-defined,unused-ignore]
    arguments.args[0].annotation = None
    for node in ast.walk(only):
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(value=None)
    guarded = _Guard(name, _ALLOWED + _STATEMENTS, local).visit(tree)
    scope = _scope()
    code = compile(ast.fix_missing_locations(guarded), name, "exec")
    exec(code, scope)  # noqa: S102 - only what the guard lets through
    made: Compiled = scope[only.name]
    return made


def _scope() -> dict[str, Any]:
    """What code may reach. Functions have names that no row's value can have."""
    return {
        "__builtins__": {},
        **_OPERATORS,
        **{f"_{name}_": FUNCTIONS[name] for name in FUNCTIONS},
    }


class _Guard(ast.NodeTransformer):
    """Refuses what is not allowed; arithmetic goes through functions with bounds."""

    def __init__(
        self, name: str, allowed: tuple[type[ast.AST], ...], local: set[str] | None
    ) -> None:
        self._name = name
        self._allowed = allowed
        self._local = local

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if not isinstance(node, (*self._allowed, *_OPERATION_NODES)):
            line = getattr(node, "lineno", 0)
            raise BadFeatureFormula(f"{self._name!r}: {_word(node)} is not allowed.", line=line)
        return super().generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id.startswith("_"):
            raise BadFeatureFormula(f"{self._name!r}: the name {node.id!r} is not allowed.")
        if self._local is not None and node.id not in self._local:
            raise BadFeatureFormula(f"{self._name!r}: there is no {node.id!r}.", line=node.lineno)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        if node.arg.startswith("_"):
            raise BadFeatureFormula(f"{self._name!r}: the name {node.arg!r} is not allowed.")
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        if node.name.startswith("_") or node.args.defaults or node.args.posonlyargs:
            raise BadFeatureFormula(f"{self._name!r}: a plain function of one row is expected.")
        nested = [item for item in ast.walk(node) if isinstance(item, ast.FunctionDef)]
        if len(nested) > 1:
            raise BadFeatureFormula(f"{self._name!r}: a function within a function is not allowed.")
        return self.generic_visit(node)

    def visit_Dict(self, node: ast.Dict) -> ast.AST:
        if None in node.keys:
            raise BadFeatureFormula(f"{self._name!r}: ** is not allowed.", line=node.lineno)
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            # text.lower() reads as lower(text), row.get("a") as get(row, "a").
            node = ast.Call(
                func=ast.copy_location(ast.Name(id=node.func.attr, ctx=ast.Load()), node.func),
                args=[node.func.value, *node.args],
                keywords=node.keywords,
            )
        if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS:
            called = ast.unparse(node.func)[:60]
            raise BadFeatureFormula(
                f"{self._name!r}: {called} can't be called; "
                f"there are {', '.join(sorted(FUNCTIONS))}.",
                line=getattr(node, "lineno", 0),
            )
        if any(keyword.arg is None for keyword in node.keywords):
            raise BadFeatureFormula(f"{self._name!r}: ** is not allowed.")
        arguments = [self.visit(item) for item in node.args]
        keywords = [
            ast.keyword(arg=item.arg, value=self.visit(item.value)) for item in node.keywords
        ]
        renamed = ast.Name(id=f"_{node.func.id}_", ctx=ast.Load())
        return ast.Call(func=renamed, args=arguments, keywords=keywords)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        operator = _BINARY.get(type(node.op))
        if operator is None:
            raise BadFeatureFormula(f"{self._name!r}: {_word(node.op)} is not allowed.")
        return _call(operator, self.visit(node.left), self.visit(node.right))

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        if not isinstance(node.target, ast.Name):
            raise BadFeatureFormula(
                f"{self._name!r}: only a name can be assigned.", line=node.lineno
            )
        read = ast.Name(id=node.target.id, ctx=ast.Load())
        value = self.visit(ast.BinOp(left=read, op=node.op, right=node.value))
        return ast.Assign(targets=[node.target], value=value)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        if isinstance(node.op, ast.USub):
            return _call("_negative", self.visit(node.operand))
        return self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        ordered = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
        if len(node.ops) == 1 and isinstance(node.ops[0], ordered):
            name = _ORDERED[type(node.ops[0])]
            return _call(name, self.visit(node.left), self.visit(node.comparators[0]))
        return self.generic_visit(node)


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(func=ast.Name(id=name, ctx=ast.Load()), args=list(arguments), keywords=[])


def _bounded(value: Any) -> Any:
    """What arithmetic gave, unless it would fill the memory."""
    if isinstance(value, int) and value.bit_length() > _MOST_DIGITS:
        raise OverflowError("a whole number has grown too large")
    if isinstance(value, str | list | tuple) and len(value) > _LONGEST:
        raise OverflowError("a text or list has grown too long")
    return value


def _null_first(act: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def guarded(left: Any, right: Any) -> Any:
        if left is None or right is None:
            return None
        return act(left, right)

    return guarded


def _times(left: Any, right: Any) -> Any:
    for one, other in ((left, right), (right, left)):
        repeated = isinstance(one, str | list | tuple) and isinstance(other, int)
        if repeated and len(one) * max(other, 0) > _LONGEST:
            raise OverflowError("a text or list has grown too long")
    return _bounded(left * right)


def _power(left: Any, right: Any) -> Any:
    whole = isinstance(left, int) and isinstance(right, int) and right > 0
    if whole and left.bit_length() * right > _MOST_DIGITS:
        raise OverflowError("a whole number has grown too large")
    found = left**right
    return None if isinstance(found, complex) else found


def _over(left: Any, right: Any) -> Any:
    """As SQL has it: nothing is known about what is divided by nothing."""
    return None if right == 0 else left / right


def _over_whole(left: Any, right: Any) -> Any:
    return None if right == 0 else left // right


def _modulo(left: Any, right: Any) -> Any:
    if isinstance(left, str):
        raise TypeError("a text has no remainder")
    return None if right == 0 else left % right


_OPERATORS: dict[str, Callable[..., Any]] = {
    "_plus": _null_first(lambda a, b: _bounded(a + b)),
    "_minus": _null_first(lambda a, b: a - b),
    "_times": _null_first(_times),
    "_over": _null_first(_over),
    "_over_whole": _null_first(_over_whole),
    "_modulo": _null_first(_modulo),
    "_power": _null_first(_power),
    "_negative": lambda value: None if value is None else -value,
    "_less": _null_first(lambda a, b: a < b),
    "_at_most": _null_first(lambda a, b: a <= b),
    "_more": _null_first(lambda a, b: a > b),
    "_at_least": _null_first(lambda a, b: a >= b),
}
_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "_plus",
    ast.Sub: "_minus",
    ast.Mult: "_times",
    ast.Div: "_over",
    ast.FloorDiv: "_over_whole",
    ast.Mod: "_modulo",
    ast.Pow: "_power",
}
_ORDERED: dict[type[ast.cmpop], str] = {
    ast.Lt: "_less",
    ast.LtE: "_at_most",
    ast.Gt: "_more",
    ast.GtE: "_at_least",
}
_OPERATION_NODES = (ast.Load, ast.Store)


def _instant(value: Any) -> datetime:
    found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _of_text(act: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(text: Any, *rest: Any) -> Any:
        return None if text is None else _bounded(act(str(text), *rest))

    return guarded


def _of_number(act: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(value: Any, *rest: Any) -> Any:
        if value is None:
            return None
        try:
            return act(value, *rest)
        except (ValueError, OverflowError):
            return None  # the logarithm of nothing, say

    return guarded


def _of_time(act: Callable[[datetime], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else act(_instant(value))


def _gap(unit: float) -> Callable[[Any, Any], Any]:
    def between(first: Any, second: Any) -> Any:
        if first is None or second is None:
            return None
        return (_instant(second) - _instant(first)).total_seconds() / unit

    return between


def _known(values: Sequence[Any]) -> list[Any]:
    listed = values[0] if len(values) == 1 and isinstance(values[0], list | tuple) else values
    return [item for item in listed if item is not None]


def _replaced(text: str, old: str, new: str) -> str:
    if len(text) * len(new) > _LONGEST * 10:
        raise OverflowError("a text has grown too long")
    return text.replace(old, new)


def _coalesce(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _get(row: Any, name: Any, default: Any = None) -> Any:
    return row.get(name, default) if isinstance(row, dict) else default


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": _of_number(abs),
    "bool": lambda value: None if value is None else bool(value),
    "ceil": _of_number(math.ceil),
    "coalesce": _coalesce,
    "concat": lambda *parts: _bounded("".join(str(part) for part in parts if part is not None)),
    "contains": _of_text(lambda text, part: str(part) in text),
    "cos": _of_number(math.cos),
    "date": _of_time(lambda at: at.date().isoformat()),
    "day": _of_time(lambda at: at.day),
    "days_between": _gap(86_400.0),
    "endswith": _of_text(lambda text, part: text.endswith(str(part))),
    "exp": _of_number(math.exp),
    "float": _of_number(float),
    "floor": _of_number(math.floor),
    "get": _get,
    "hour": _of_time(lambda at: at.hour),
    "hours_between": _gap(3_600.0),
    "int": _of_number(int),
    "isnull": lambda value: value is None,
    "len": lambda value: None if value is None else len(value),
    "log": _of_number(math.log),
    "log10": _of_number(math.log10),
    "log1p": _of_number(math.log1p),
    "lower": _of_text(str.lower),
    "max": lambda *values: max(_known(values), default=None),
    "min": lambda *values: min(_known(values), default=None),
    "minute": _of_time(lambda at: at.minute),
    "month": _of_time(lambda at: at.month),
    "replace": _of_text(lambda text, old, new: _replaced(text, str(old), str(new))),
    "round": _of_number(round),
    "seconds_between": _gap(1.0),
    "sin": _of_number(math.sin),
    "sqrt": _of_number(math.sqrt),
    "startswith": _of_text(lambda text, part: text.startswith(str(part))),
    "str": lambda value: None if value is None else str(value),
    "strip": _of_text(str.strip),
    "sum": lambda *values: sum(_known(values)),
    "upper": _of_text(str.upper),
    "weekday": _of_time(lambda at: at.weekday()),
    "year": _of_time(lambda at: at.year),
}
"""What may be called. A null gives a null, but for those that are about nulls."""

METHODS = frozenset({"contains", "endswith", "get", "lower", "replace", "startswith", "strip",
                     "upper"})  # fmt: skip
"""Those that may also be written behind a dot."""


def plain(value: Any) -> Any:
    """What a formula gave, as JSON knows it."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, tuple):
        return list(value)
    return value


def _word(node: ast.AST) -> str:
    return type(node).__name__


def _told(error: BaseException) -> str:
    return str(getattr(error, "msg", error))[:200]
