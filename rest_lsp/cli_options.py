"""Every declared option as a flag of the commands that it matters to.  Knows no command."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from rest_lsp.cli_terminal import warn
from rest_lsp.config import Option, Settings, options
from rest_lsp.config_sources import load_settings
from rest_lsp.config_text import allowed_values, allowed_words, shown

Command = Callable[..., None]
Overrides = dict[str, object]

WorkspaceOption = Annotated[
    Path | None,
    typer.Option("--workspace", "-w", help="Folder of the project. Default: the repository around it.", metavar="DIR"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, and nothing else.")]


def takes_options(*sections: str) -> Callable[[Command], Command]:
    """Add a flag for each option of `sections`; the command gets those that were used as `overrides`."""
    declared = [option for option in options() if option.section in sections]

    def decorate(command: Command) -> Command:
        def run(**arguments: Any) -> None:
            given = {option.path: arguments.pop(_parameter_name(option)) for option in declared}
            command(**arguments, overrides={path: value for path, value in given.items() if _is_given(value)})

        own = inspect.signature(command, eval_str=True)
        parameters = [parameter for name, parameter in own.parameters.items() if name != "overrides"]
        parameters += [_parameter(option) for option in declared]
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return run

    return decorate


def settings_for(workspace: Path | None, overrides: Overrides) -> Settings:
    """The settings of `workspace`; what could not be used is told on standard error."""
    loaded = load_settings(workspace, command_line=overrides)
    for problem in loaded.problems:
        warn(problem)
    return loaded.settings


def _parameter(option: Option) -> inspect.Parameter:
    default = option.extra("shown") or shown(option.default)
    help_text = f"{option.description} Default: {default}."
    panel = f"Options of the section {option.section}"
    flags = [f"{option.flag}/--no-{option.flag[2:]}" if option.is_switch else option.flag]
    kind: Any = bool | None if option.is_switch else list[str] | None if option.is_list else str | None
    metavar = None if option.is_switch else "|".join(allowed_words(option)) or _metavar(option)
    given = typer.Option(*flags, help=help_text, rich_help_panel=panel, metavar=metavar, show_default=False)
    return inspect.Parameter(
        _parameter_name(option), inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, given]
    )


def _parameter_name(option: Option) -> str:
    return f"option_{option.section}_{option.name}"


def _metavar(option: Option) -> str:
    words = {"a path": "PATH", "a text": "TEXT", "a list of texts": "PATTERN"}
    return words.get(allowed_values(option), "NUMBER")


def _is_given(value: object) -> bool:
    return value is not None and value != []
