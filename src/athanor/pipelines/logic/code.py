"""The identity of code: its meaning, without its layout."""

import ast
import hashlib


def code_digest(text: str) -> str:
    """The digest of Python source, equal for texts that differ in layout, comments or docstrings.

    A text that can't be parsed is taken as it is.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return digest_of(text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(node, body[0]):
            node.body = body[1:]  # type: ignore[attr-defined]
    return digest_of(ast.dump(tree, annotate_fields=False, include_attributes=False))


def digest_of(text: str) -> str:
    """`sha256:<hex>` of a text."""
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _is_docstring(node: ast.AST, first: ast.stmt) -> bool:
    has_docstring = isinstance(
        node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    )
    return (
        has_docstring
        and isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
