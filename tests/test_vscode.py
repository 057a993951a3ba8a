"""What the extension for Visual Studio Code says about settings and commands is what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import rest_lsp.config
from rest_lsp.config import options
from rest_lsp.config_vscode import configuration, setting, setting_name, with_settings
from rest_lsp.version import __version__

ROOT = Path(__file__).parent.parent
EXTENSION = ROOT / "editor_extension" / "vscode"
PACKAGE_TEXT = (EXTENSION / "package.json").read_text(encoding="utf-8")
PACKAGE: dict[str, Any] = json.loads(PACKAGE_TEXT)
COMMANDS = {command["command"]: command["title"] for command in PACKAGE["contributes"]["commands"]}
PAGE = (ROOT / "docs" / "vscode.md").read_text(encoding="utf-8")
E2E = "\n".join(path.read_text(encoding="utf-8") for path in sorted((EXTENSION / "e2e").glob("*.test.ts")))


def own_settings() -> dict[str, Any]:
    """Those of the extension, which the server does not know."""
    properties: dict[str, Any] = PACKAGE["contributes"]["configuration"][0]["properties"]
    return properties


def test_the_settings_are_the_declared_options() -> None:
    assert with_settings(PACKAGE_TEXT) == PACKAGE_TEXT, "run `make docs`"
    declared = {name for block in configuration() for name in block["properties"]}
    assert declared == {setting_name(option) for option in options()}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("drafting.enabled", {"type": "boolean", "default": True, "scope": "window"}),
        (
            "completion.top_p",
            {"type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 1.0, "scope": "window"},
        ),
        ("device.threads", {"type": "integer", "minimum": 0, "maximum": 256, "default": 0, "scope": "window"}),
        ("datastore.exclude", {"type": "array", "items": {"type": "string"}, "default": [], "scope": "window"}),
        ("datastore.directory", {"type": ["string", "null"], "default": None, "scope": "machine"}),
        ("model.name", {"type": "string", "default": "auto", "scope": "window"}),
    ],
)
def test_an_option_becomes_a_setting(path: str, expected: dict[str, Any]) -> None:
    option = next(option for option in options() if option.path == path)
    assert setting(option) == {**expected, "markdownDescription": option.description}


def test_words_to_choose_from_become_an_enumeration() -> None:
    option = next(option for option in options() if option.path == "completion.multiline")
    assert setting(option)["enum"] == ["auto", "always", "never"]


def test_another_option_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = rest_lsp.config.options()[1:]
    monkeypatch.setattr("rest_lsp.config_vscode.options", lambda: fewer)
    assert with_settings(PACKAGE_TEXT) != PACKAGE_TEXT


def test_a_workspace_that_is_not_trusted_cannot_choose_programs_and_places() -> None:
    restricted = PACKAGE["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"]
    personal = [setting_name(option) for option in options() if option.is_personal]
    assert {"restLsp.command", "restLsp.install.package", "restLsp.model.name", *personal} == set(restricted)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_is_in_the_documentation_and_in_the_end_to_end_test(command: str) -> None:
    assert f"| {COMMANDS[command]} |" in PAGE
    assert f'command("{COMMANDS[command]}")' in E2E or command in {"restLsp.menu", "restLsp.install"}


@pytest.mark.parametrize("name", own_settings())
def test_each_setting_of_the_extension_itself_is_in_the_documentation(name: str) -> None:
    assert f"| `{name}` |" in PAGE


def test_each_command_is_registered() -> None:
    code = (EXTENSION / "src" / "extension.ts").read_text(encoding="utf-8")
    registered = re.search(r"registered\(\{(.*?)\n    \}\)", code, re.DOTALL)
    assert registered is not None
    names = re.findall(r"^      (\w+)[:,]", registered[1], re.MULTILINE)
    assert {f"restLsp.{name}" for name in names} == set(COMMANDS)


def test_only_stable_interfaces_of_the_editor_are_used() -> None:
    assert "enabledApiProposals" not in PACKAGE


def test_the_extension_has_the_version_of_the_server() -> None:
    assert PACKAGE["version"] == __version__
