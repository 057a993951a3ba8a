"""The declared options as the Neovim plugin needs them: a Lua table and a section of its help.

Knows the declarations in `config`; the plugin's own options are declared in the plugin.
"""

from __future__ import annotations

import json
import textwrap
from itertools import groupby
from pathlib import Path

from rest_lsp.config import Option, options
from rest_lsp.config_text import allowed_values, allowed_words, limits, shown

HELP_BEGIN = "------------------------------------------------------- options of the server: begin"
HELP_END = "--------------------------------------------------------- options of the server: end"
PLUGIN = Path(__file__).parent.parent / "editor_extension" / "neovim"
LUA_FILE = PLUGIN / "lua" / "rest_lsp" / "server_options.lua"
HELP_FILE = PLUGIN / "doc" / "rest_lsp.txt"
HELP_WIDTH = 78

_LUA_TYPES = {"boolean": "boolean", "list": "string[]", "integer": "integer", "number": "number"}


def kind(option: Option) -> str:
    """How the plugin tells a good value from a bad one."""
    if option.is_switch:
        return "boolean"
    if allowed_words(option):
        return "word"
    if option.is_list:
        return "list"
    if option.field.annotation is int:
        return "integer"
    return "number" if option.field.annotation is float else "text"


def lua_text() -> str:
    """What `server_options.lua` holds."""
    lines = [
        "-- Written by `make docs` from rest_lsp/config.py.",
        "",
        *_lua_classes(),
        "---@class rest_lsp.ServerOption",
        "---@field path string Section and name.",
        "---@field kind 'boolean'|'word'|'list'|'integer'|'number'|'text'",
        "---@field takes string In words.",
        "---@field words? string[] What a word may be.",
        "---@field low? number",
        "---@field high? number",
        "---@field is_open? boolean `low` itself is too low.",
        "",
        "---@type rest_lsp.ServerOption[]",
        "return {",
        *(f"  {_lua_option(option)}," for option in options()),
        "}",
    ]
    return "\n".join(lines) + "\n"


def help_section() -> str:
    """The options of the server as a part of a Vim help file."""
    blocks = []
    for option in options():
        default = _plain(str(option.extra("shown") or shown(option.default)))
        tag = f"*rest_lsp-{option.path}*"
        facts = f"Takes {allowed_values(option)}. Default: {default}."
        text = textwrap.fill(
            f"{_plain(option.description)} {facts}", HELP_WIDTH, initial_indent="    ", subsequent_indent="    "
        )
        blocks.append(f"{option.path:<{HELP_WIDTH - len(tag)}}{tag}\n{text}")
    return "\n\n".join(blocks)


def with_help(text: str) -> str:
    """The help file with its section on the server's options made anew; ValueError when a marker is missing."""
    before, _, rest = text.partition(HELP_BEGIN)
    _, found, after = rest.partition(HELP_END)
    if not found:
        raise ValueError(f"{HELP_FILE.name} has lost its marker {HELP_BEGIN!r} or {HELP_END!r}.")
    return f"{before}{HELP_BEGIN}\n\n{help_section()}\n\n{HELP_END}{after}"


def _lua_classes() -> list[str]:
    lines, sections = [], []
    for section, members in groupby(options(), lambda option: option.section):
        name = f"rest_lsp.{section.title()}Settings"
        sections.append(f"---@field {section}? {name}")
        lines.append(f"---@class {name}")
        lines += [f"---@field {option.name}? {_lua_type(option)} {option.description}" for option in members]
        lines.append("")
    return ["---@class rest_lsp.Settings", *sections, "", *lines]


def _lua_type(option: Option) -> str:
    if kind(option) == "word":
        return "|".join(f"'{word}'" for word in allowed_words(option))
    return _LUA_TYPES.get(kind(option), "string")


def _lua_option(option: Option) -> str:
    fields = {"path": option.path, "kind": kind(option), "takes": allowed_values(option)}
    parts = [f"{name} = {_quoted(value)}" for name, value in fields.items()]
    if kind(option) == "word":
        parts.append("words = { " + ", ".join(map(_quoted, allowed_words(option))) + " }")
    found = limits(option)
    if found:
        parts.append(f"low = {found.get('gt', found.get('ge'))}, high = {found['le']}")
    if "gt" in found:
        parts.append("is_open = true")
    return "{ " + ", ".join(parts) + " }"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _plain(text: str) -> str:
    """Vim's help knows backticks, but bars would make links."""
    return text.replace("|", "/")


def write() -> None:
    """Write both files anew."""
    LUA_FILE.write_text(lua_text(), encoding="utf-8")
    HELP_FILE.write_text(with_help(HELP_FILE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write()
