"""What is documented exists, and what exists is documented."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from rest_lsp.cli_app import app
from rest_lsp.config import Option, options
from rest_lsp.config_neovim import HELP_FILE, LUA_FILE, lua_text, with_help
from rest_lsp.config_text import SCHEMA_FILE, options_table, schema_text, with_table

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
MAX_ARCHITECTURE_LINES = 200
PATH = re.compile(r"`((?:rest_lsp|tests|editor_extension|\.ci)/[\w./-]*|[A-Z]+\.md|[a-z]+\.(?:toml|txt)|Makefile)`")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)")
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("editor_extension/*.md"),
        *ROOT.glob("editor_extension/*/*.md"),
    ]
)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def commands(group: typer.Typer = app, prefix: str = "rest-lsp") -> dict[str, str]:
    """Help text by full name: "rest-lsp models list"."""
    found = {}
    for command in group.registered_commands:
        assert command.callback is not None
        name = command.name or command.callback.__name__
        found[f"{prefix} {name}"] = command.help or command.callback.__doc__ or ""
    for child in group.registered_groups:
        if child.typer_instance is not None:
            found |= commands(child.typer_instance, f"{prefix} {child.name}")
    return found


@pytest.mark.parametrize("command", commands())
def test_each_command_is_in_the_readme_and_has_help(command: str) -> None:
    assert f"`{command}" in README
    assert commands()[command].strip().endswith((".", ")")) or "    rest-lsp" in commands()[command]


@pytest.mark.parametrize("option", options(), ids=lambda option: option.path)
def test_each_option_is_in_the_readme(option: Option) -> None:
    assert f"| `{option.path}` |" in README


def test_the_options_table_is_the_declared_one() -> None:
    assert options_table() in README
    assert with_table(README) == README, "run `make docs`"


def test_the_schema_is_the_declared_one() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), "run `make docs`"


def test_the_neovim_plugin_has_the_declared_options() -> None:
    assert LUA_FILE.read_text(encoding="utf-8") == lua_text(), "run `make docs`"
    text = HELP_FILE.read_text(encoding="utf-8")
    assert with_help(text) == text, "run `make docs`"
    assert [option.path for option in options() if f"*rest_lsp-{option.path}*" not in text] == []


@pytest.mark.parametrize("renew", [with_table, with_help])
def test_a_lost_marker_is_told(renew: Callable[[str], str]) -> None:
    with pytest.raises(ValueError, match="marker"):
        renew("no markers here")


def test_the_architecture_fits_on_a_few_screens() -> None:
    assert len(ARCHITECTURE.splitlines()) <= MAX_ARCHITECTURE_LINES


def test_each_path_in_the_architecture_exists() -> None:
    paths = PATH.findall(ARCHITECTURE)
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).exists()] == []


def modules_on_the_map() -> set[str]:
    """Names stand below, or behind, the folder that they are in."""
    found, folder = set(), ""
    for word in re.findall(r"`(rest_lsp/(?:\w+/)*|\w+\.py)`", ARCHITECTURE.partition("## Map")[2]):
        if word.endswith("/"):
            folder = word
        else:
            found.add(folder + word)
    return found


def test_each_module_is_on_the_map() -> None:
    modules = [path.relative_to(ROOT).as_posix() for path in (ROOT / "rest_lsp").rglob("*.py")]
    assert modules_on_the_map() == {path for path in modules if not path.rpartition("/")[2].startswith("__")}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    text = FENCED.sub("", document.read_text(encoding="utf-8"))
    assert [link for link in LINK.findall(text) if not (document.parent / link).exists()] == []


def test_each_make_target_is_explained() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)
    assert {"help", "demo", "test", "lint", "bench", "clean"} <= set(targets)
    assert [target for target in targets if not re.search(rf"^{target}:.*## ", makefile, re.MULTILINE)] == []
