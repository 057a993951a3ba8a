"""Options in words: what each takes, the README's table, the JSON schema.  Run as a module, it writes them.

Knows the declarations in `config` and nothing about where values come from.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from rest_lsp.config import Option, Settings, options

TABLE_BEGIN = "<!-- options: begin (written by `make docs`) -->"
TABLE_END = "<!-- options: end -->"
SCHEMA_FILE = Path(__file__).with_name("config.schema.json")


def allowed_words(option: Option) -> tuple[str, ...]:
    """The words an option chooses from; empty when it takes something else."""
    if get_origin(option.field.annotation) is Literal:
        return get_args(option.field.annotation)
    return ("true", "false") if option.is_switch else ()


def allowed_values(option: Option) -> str:
    """What an option takes, for a message or a table: "a number from 0 to 2"."""
    words = allowed_words(option)
    if option.is_switch:
        return "true or false"
    if words:
        return "one of " + ", ".join(words)
    if option.is_list:
        return "a list of texts"
    if option.field.annotation is int:
        return "a whole number" + _range(option)
    if option.field.annotation is float:
        return "a number" + _range(option)
    return "a text" if option.field.annotation is str else "a path"


def limits(option: Option) -> dict[str, float]:
    """The range of a number by the names `ge`, `gt` and `le`; empty for other options."""
    return {
        name: getattr(mark, name)
        for mark in option.field.metadata
        for name in ("ge", "gt", "le")
        if hasattr(mark, name)
    }


def shown(value: object) -> str:
    """A value as one would write it in `rest-lsp.toml`."""
    if isinstance(value, tuple):
        return json.dumps(list(value), ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | int | float) else str(value)


def options_table() -> str:
    """A Markdown table of every option, as it stands in the README."""
    lines = ["| Option | Default | Takes | What it does |", "|---|---|---|---|"]
    for option in options():
        default = option.extra("shown") or f"`{shown(option.default)}`"
        lines.append(f"| `{option.path}` | {default} | {allowed_values(option)} | {option.description} |")
    return "\n".join(lines)


def options_schema() -> dict[str, Any]:
    """The JSON schema of `rest-lsp.toml`, for editors that check and complete such files."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Settings.model_json_schema()}


def with_table(readme: str) -> str:
    """`readme` with the table between its markers made anew; ValueError when a marker is missing."""
    before, _, rest = readme.partition(TABLE_BEGIN)
    _, found, after = rest.partition(TABLE_END)
    if not found:
        raise ValueError(f"README.md has lost its marker {TABLE_BEGIN} or {TABLE_END}.")
    return f"{before}{TABLE_BEGIN}\n{options_table()}\n{TABLE_END}{after}"


def schema_text() -> str:
    """What `config.schema.json` holds."""
    return json.dumps(options_schema(), indent=2, ensure_ascii=False) + "\n"


def _range(option: Option) -> str:
    found = limits(option)
    low = f" above {found['gt']}, up to" if "gt" in found else f" from {found.get('ge')} to"
    return f"{low} {found['le']}"


def _write() -> None:
    readme = Path(__file__).parent.parent / "README.md"
    readme.write_text(with_table(readme.read_text(encoding="utf-8")), encoding="utf-8")
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
    config_neovim.write()
    config_vscode.write()


if __name__ == "__main__":
    from rest_lsp import config_neovim, config_vscode

    _write()
