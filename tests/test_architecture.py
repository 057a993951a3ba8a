"""The layers, sizes and manners of ARCHITECTURE.md, read from the syntax tree of every module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parent.parent / "rest_lsp"
TESTS = Path(__file__).parent

# From the top to the bottom: a module imports from its own group or from groups below.
LAYERS = (
    ("cli", "__main__"),
    ("dashboard",),
    ("doctor",),
    ("bench",),
    ("cli_options", "cli_terminal"),
    ("daemon", "http"),
    ("server",),
    ("assembly", "folders", "workspace", "config_sources"),
    ("completion",),
    ("syntax",),
    ("engine",),
    ("drafting",),
    ("datastore",),
    ("models",),
    (
        "config",
        "stats",
        "history",
        "waiting",
        "priority",
        "background",
        "compiling",
        "tokenizer",
        "healing",
        "positions",
        "languages",
        "spelling",
        "cancellation",
        "memory",
        "processes",
        "kept_json",
        "errors",
        "version",
    ),
)
LEVEL = {name: -level for level, names in enumerate(LAYERS) for name in names}
HEAVY = {"torch": {"engine", "bench"}, "numba": {"engine", "compiling"}, "pygls": {"server"}, "lsprotocol": {"server"}}
# What a group must not use although it stands above it.
NOT_FOR = {
    "completion": {"models"},
    "syntax": {"engine", "drafting", "datastore", "models"},
    "drafting": {"models"},
    "datastore": {"models"},
}
MAX_FILE_LINES, MAX_MEDIAN_FILE_LINES = 350, 130
MAX_FUNCTION_LINES, MAX_MEDIAN_FUNCTION_LINES = 60, 12
MAX_HEADER_LINES = 12

MODULES = sorted(PACKAGE.rglob("*.py"))
CODE = [path for path in MODULES if path.name != "__init__.py"]
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Import(NamedTuple):
    """One imported module name and whether it is imported when the module is."""

    name: str
    line: int


def group_of(module: str) -> str:
    """A package is a group; `rest_lsp.cli_models` is of the group cli unless it is named as a layer of its own."""
    name = module.removeprefix("rest_lsp.").split(".")[0]
    return name if name in LEVEL else name.split("_")[0]


def group_of_file(path: Path) -> str:
    return group_of(path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", "."))


def imports_of(tree: ast.AST) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            module = node.module
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "rest_lsp" else [module]
            yield from (Import(name, node.lineno) for name in names)


def functions_of(tree: ast.AST) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def length_of(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def named(path: Path) -> str:
    return path.relative_to(PACKAGE.parent).as_posix()


@pytest.mark.parametrize("path", CODE, ids=named)
def test_a_module_imports_only_from_below(path: Path) -> None:
    group = group_of_file(path)
    assert group in LEVEL, f"{named(path)} belongs to no layer"
    for found in imports_of(parse(path)):
        if not found.name.startswith("rest_lsp."):
            continue
        other = group_of(found.name)
        place = f"{named(path)}:{found.line} imports {found.name}"
        assert LEVEL[other] <= LEVEL[group], f"{place}, which lies above it"
        assert other not in NOT_FOR.get(group, set()), f"{place}, which is for the engine and the front doors"


@pytest.mark.parametrize("path", CODE, ids=named)
def test_heavy_packages_stay_where_they_belong(path: Path) -> None:
    for found in imports_of(parse(path)):
        allowed = HEAVY.get(found.name.split(".")[0])
        assert allowed is None or group_of_file(path) in allowed, f"{named(path)}:{found.line} imports {found.name}"


@pytest.mark.parametrize("path", CODE, ids=named)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    header = ast.get_docstring(parse(path))
    assert header, f"{named(path)} has no docstring"
    assert len(header.splitlines()) <= MAX_HEADER_LINES, f"{named(path)} begins with an essay"


@pytest.mark.parametrize("path", [path for path in MODULES if path.name == "__init__.py"], ids=named)
def test_packages_import_nothing_by_themselves(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == ""


@pytest.mark.parametrize("path", CODE, ids=named)
def test_files_and_functions_stay_readable(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_FILE_LINES
    for function in functions_of(ast.parse(text)):
        assert length_of(function) <= MAX_FUNCTION_LINES, f"{named(path)}:{function.lineno} {function.name} is too long"


def test_the_usual_file_and_function_are_short() -> None:
    files = [len(path.read_text(encoding="utf-8").splitlines()) for path in CODE]
    functions = [length_of(function) for path in CODE for function in functions_of(parse(path))]
    assert median(files) <= MAX_MEDIAN_FILE_LINES
    assert median(functions) <= MAX_MEDIAN_FUNCTION_LINES


def test_no_two_test_files_share_a_name() -> None:
    names = [path.name for path in TESTS.rglob("*.py") if path.name not in ("__init__.py", "conftest.py")]
    assert sorted(set(names)) == sorted(names)
