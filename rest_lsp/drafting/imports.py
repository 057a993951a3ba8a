"""What a Python document imports, as far as its import statements can be read: the rest may be unfinished."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

_STATEMENT = re.compile(
    r"^[ \t]*(from[ \t]+[.\w]+[ \t]+import[ \t]*(?:\([^)]*\)|[^\n(]+)|import[ \t]+[^\n]+)", re.MULTILINE
)
MAX_COMPONENTS = 6


class ImportedName(NamedTuple):
    """`bound` is the name in the document; it stands for `name` of `module`, for the module itself when that is "".

    is_relative   whether `module` is a whole path of the workspace
    """

    module: str
    name: str
    bound: str
    is_relative: bool = False


def imported_names(text: str, path: str) -> list[ImportedName]:
    """In the order of the statements, each once; modules as in `imported_modules`."""
    folder = tuple(path.split("/")[:-1])
    found = (
        ImportedName("/".join((*folder[: len(folder) - level + 1], *names) if level else names), name, bound, level > 0)
        for statement in _STATEMENT.findall(text)
        for level, names, name, bound in _names(statement)
    )
    return list(dict.fromkeys(found))


def imported_modules(text: str, path: str) -> frozenset[str]:
    """Modules as paths without an extension ("flask/helpers"); relative imports are resolved against `path`."""
    folder = tuple(path.split("/")[:-1])
    found = (module for statement in _STATEMENT.findall(text) for module in _modules(statement))
    return frozenset(
        "/".join((*folder[: len(folder) - level + 1], *names) if level else names) for level, names in found
    )


@lru_cache(maxsize=8192)
def module_suffixes(path: str) -> Sequence[str]:
    """The names under which the module in the file `path` may be imported, the longest first."""
    name = path.rpartition(".")[0].removesuffix("/__init__")
    suffixes = [name]
    while "/" in name and len(suffixes) < MAX_COMPONENTS:
        name = name.partition("/")[2]
        suffixes.append(name)
    return tuple(suffixes)


@lru_cache(maxsize=1024)
def _modules(statement: str) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """(level, components) of every module that the statement may name; a name of `from` may be a module, too."""
    node = _parsed(statement)
    if isinstance(node, ast.Import):
        return tuple((0, tuple(alias.name.split("."))) for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        base = tuple(node.module.split(".")) if node.module else ()
        named = ((node.level, (*base, alias.name)) for alias in node.names)
        return ((node.level, base), *named)
    return ()


@lru_cache(maxsize=1024)
def _names(statement: str) -> tuple[tuple[int, tuple[str, ...], str, str], ...]:
    """(level, components of the module, name in it, name in the document) of all that the statement binds."""
    node = _parsed(statement)
    if isinstance(node, ast.Import):
        return tuple((0, tuple(alias.name.split(".")), "", alias.asname or alias.name) for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        base = tuple(node.module.split(".")) if node.module else ()
        return tuple((node.level, base, alias.name, alias.asname or alias.name) for alias in node.names)
    return ()


def _parsed(statement: str) -> ast.stmt | None:
    try:
        return ast.parse(statement.strip()).body[0]
    except (SyntaxError, ValueError, IndexError):
        return None
