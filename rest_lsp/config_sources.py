"""Where option values come from, and what happens to a bad one: a single message that names it, then it is ignored.

Precedence: command line, environment, editor, `rest-lsp.toml` of the workspace, the user's own, defaults.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from rest_lsp.config import (
    ENVIRONMENT_PREFIX,
    WORKSPACE_FILE,
    Option,
    Settings,
    options,
    section_type,
    user_config_file,
)
from rest_lsp.config_text import allowed_values, allowed_words, shown
from rest_lsp.models.catalogue import load_catalogue
from rest_lsp.spelling import nearest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# Read by the command line and by the tests, so they are not mistyped options.
_OTHER_VARIABLES = (
    "REST_LSP_DEBUG",
    "REST_LSP_TEST_",
    "REST_LSP_RUNTIME_DIR",
    "REST_LSP_DAEMON_TRANSPORT",
    "REST_LSP_HTTP_TOKEN",
)
_WRAPPERS = ("restLsp", "rest_lsp", "rest-lsp", "rest")


class Loaded(NamedTuple):
    """Settings that can be used, and one sentence for each value that could not."""

    settings: Settings
    problems: tuple[str, ...]


class Given(NamedTuple):
    """A value as somebody wrote it; `origin` is what to look at to change it."""

    origin: str
    path: str
    value: object
    from_workspace: bool = False


def beginning_in(folder: Path, settings: Settings) -> Settings:
    """The same in whatever folder a process runs: paths that begin nowhere begin in `folder`."""
    changed: dict[str, dict[str, object]] = {}
    for option in options():
        value = getattr(getattr(settings, option.section), option.name)
        if isinstance(value, Path) and not value.is_absolute():
            changed.setdefault(option.section, {})[option.name] = folder / value
    name = settings.model.name
    if name not in ("auto", *load_catalogue()) and (model := _existing(folder, name)) is not None:
        changed.setdefault("model", {})["name"] = str(model)
    sections = {name: getattr(settings, name).model_copy(update=values) for name, values in changed.items()}
    return settings.model_copy(update=sections)


def _existing(folder: Path, name: str) -> Path | None:
    try:
        path = folder / Path(name).expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError, ValueError):
        return None  # Whoever loads the model says what is wrong with it.


def load_settings(
    workspace: Path | None = None,
    *,
    command_line: Mapping[str, object] | None = None,
    editor: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    user_file: Path | None = None,
) -> Loaded:
    """Merge all sources.  Never raises: whatever cannot be used is reported and ignored.

    `command_line` maps "section.option" to a value; `editor` is LSP settings, nested or dotted,
    camelCase or snake_case.
    """
    problems: list[str] = []
    given: list[Given] = []
    given += _from_file(user_file or user_config_file(), problems)
    if workspace is not None:
        given += [entry._replace(from_workspace=True) for entry in _from_file(workspace / WORKSPACE_FILE, problems)]
    given += [Given("editor settings", path, value) for path, value in _flatten(_unwrapped(editor or {}))]
    given += _from_environment(os.environ if environment is None else environment, problems)
    given += [Given("command line", path, value) for path, value in (command_line or {}).items()]
    return _merged(given, problems)


def _merged(given: list[Given], problems: list[str]) -> Loaded:
    """Apply values from the weakest source to the strongest."""
    known = {option.path: option for option in options()}
    chosen: dict[str, dict[str, object]] = {}
    for entry in given:
        option = known.get(entry.path)
        if option is None:
            problems.append(_unknown(entry, list(known)))
        elif entry.from_workspace and option.is_personal:
            problems.append(
                f"{entry.origin}: {entry.path} is not for a workspace to decide; set it in {user_config_file()}."
            )
        elif entry.from_workspace and option.path == "model.name" and not _is_for_anybody(entry.value):
            problems.append(
                f"{entry.origin}: {entry.path} = {entry.value!r} is ignored: a workspace may choose auto or a name "
                f"from `rest-lsp models list`; set anything else in {user_config_file()}."
            )
        elif entry.value is not None:
            section = chosen.setdefault(option.section, {})
            try:
                section[option.name] = _validated(option, entry.value)
            except ValidationError:
                problems.append(_unusable(entry, option, section.get(option.name, option.default)))
    sections = {name: section_type(name)(**values) for name, values in chosen.items()}
    return Loaded(Settings(**sections), tuple(problems))


def _is_for_anybody(model: object) -> bool:
    """A workspace may come from anybody: it must not make this machine fetch or read whatever it names."""
    return not isinstance(model, str) or model == "auto" or model in load_catalogue()


def _validated(option: Option, value: object) -> object:
    if option.is_list and isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    section = section_type(option.section).model_validate({option.name: value})
    return getattr(section, option.name)


def _from_file(path: Path, problems: list[str]) -> Iterator[Given]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problems.append(f"{path} cannot be read and is ignored: {error}.")
        return
    for name, value in _flatten(content):
        yield Given(str(path), name, value)


def _from_environment(environment: Mapping[str, str], problems: list[str]) -> Iterator[Given]:
    by_variable = {option.environment: option.path for option in options()}
    by_variable |= {ENVIRONMENT_PREFIX + section.upper(): f"{section}.name" for section in ("model", "device")}
    for variable, value in environment.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable.startswith(_OTHER_VARIABLES):
            continue
        if variable in by_variable:
            yield Given(variable, by_variable[variable], value)
        else:
            problems.append(f"{variable} is not an option.{_did_you_mean(nearest(variable, by_variable))}")


def _flatten(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Nested and dotted keys as "section.option"; `model = "x"` is short for `model.name = "x"`."""
    for key, value in values.items():
        path = prefix + _snake(key)
        if isinstance(value, Mapping):
            yield from _flatten(value, path + ".")
        elif path in ("model", "device"):
            yield f"{path}.name", value
        else:
            yield path, value


def _unwrapped(editor: Mapping[str, Any]) -> Mapping[str, Any]:
    """Editors send the settings with or without the server's own section around them."""
    for wrapper in _WRAPPERS:
        if isinstance(editor.get(wrapper), Mapping):
            return {**{key: value for key, value in editor.items() if key != wrapper}, **editor[wrapper]}
    return editor


def _snake(key: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).replace("-", "_").lower()


def _unknown(entry: Given, known: list[str]) -> str:
    return f"{entry.origin}: {entry.path} is not an option.{_did_you_mean(nearest(entry.path, known))}"


def _unusable(entry: Given, option: Option, used: object) -> str:
    where = option.environment if entry.origin == option.environment else f"{entry.origin}: {option.path}"
    guess = _did_you_mean(nearest(str(entry.value).lower(), allowed_words(option)))
    return f"{where} = {entry.value!r} is ignored: it takes {allowed_values(option)}.{guess} Using {shown(used)}."


def _did_you_mean(word: str | None) -> str:
    return f" Did you mean {word}?" if word else ""
