"""A module's text, as short as it gets without changing what it does. Pure."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from string import ascii_letters

_FOR_TYPES = frozenset({"__future__", "collections.abc", "typing"})


def compact(source: str) -> str:
    """Return a main module's text without comments, docstrings and annotations, with its own names as single letters.

    It must contain no class, no global statement, no string of several lines, and no call that passes one of its own names
    as a keyword.
    """
    tree = _Bare().visit(ast.parse(source))
    letters = iter(ascii_letters)
    short = {name: next(letters) for name, _ in Counter(sorted(_own_names(tree))).most_common()}
    lines = ast.unparse(ast.fix_missing_locations(_Renamed(short).visit(tree))).splitlines()
    return "\n".join(_indented_by_one(line) for line in _with_one_import(lines) if line)


def _own_names(tree: ast.AST) -> Iterator[str]:
    """Yield each of the module's own names as often as it occurs, and perhaps others' never."""
    nodes = list(ast.walk(tree))
    own = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    own |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    own |= {
        node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ExceptHandler)) and node.name
    }
    for node in nodes:
        name = getattr(node, "id", None) or getattr(node, "arg", None) or getattr(node, "name", None)
        if name in own and not isinstance(node, (ast.keyword, ast.alias)):
            yield str(name)


def _with_one_import(lines: list[str]) -> Iterator[str]:
    plain = [line for line in lines if line.startswith("import ")]
    yield "import " + ",".join(line.removeprefix("import ") for line in plain)
    yield from (line for line in lines if line not in plain)


def _indented_by_one(line: str) -> str:
    text = line.lstrip(" ")
    return " " * ((len(line) - len(text)) // 4) + text


class _Bare(ast.NodeTransformer):
    """Removes what only readers and tools need."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        docstring = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if docstring else node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom | None:
        return None if node.module in _FOR_TYPES else node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.Assign | None:
        return ast.Assign([node.target], node.value) if node.value else None

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        is_main = ast.unparse(node.test) == "__name__ == '__main__'"
        return node.body if is_main else self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node


class _Renamed(ast.NodeTransformer):
    """Renames the module's own names."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self._names.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.arg = self._names[node.arg]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = self._names[node.name]
        return self.generic_visit(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        node.name = self._names.get(node.name or "", node.name)
        return self.generic_visit(node)
