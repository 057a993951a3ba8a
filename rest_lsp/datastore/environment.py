"""The Python environment of a workspace: where its packages lie, and which of them its files import.

Read from disk only: no interpreter is started, and nothing that lies there is run.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path, PurePosixPath
from typing import NamedTuple

IN_WORKSPACE = (".venv", "venv")
LEFT_OUT = frozenset(
    ("__pycache__", "site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3", "turtledemo", "_vendor")
)
"""Folders of libraries whose text nobody writes again."""

SOURCES = (".py", ".pyi")
_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+(\w+)[\w.]*[ \t]+import\b|import[ \t]+([\w., \t]+))", re.MULTILINE)


class Environment(NamedTuple):
    """`version` is that of Python, as far as it is known; `standard` is None when its library cannot be found."""

    version: str
    packages: Path
    standard: Path | None


class Library(NamedTuple):
    """Files of one package version, relative to `root`."""

    name: str
    root: Path
    files: tuple[str, ...]


def find_environment(root: Path, interpreter: Path | None) -> Environment | None:
    """That of the interpreter that the user names, else one in the workspace, else the one that is active."""
    if interpreter is not None:
        return _environment(interpreter.parent.parent)
    active = os.environ.get("VIRTUAL_ENV")
    prefixes = [root / name for name in IN_WORKSPACE] + ([Path(active)] if active else [])
    return next((found for prefix in prefixes if (found := _environment(prefix))), None)


def imported_names(texts: Iterable[str]) -> Counter[str]:
    """Top-level modules, and in how many texts each is imported."""
    found: Counter[str] = Counter()
    for text in texts:
        names = set()
        for module, modules in _IMPORT.findall(text):
            listed = [module] if module else [part.strip() for part in modules.split(",")]
            names |= {name for one in listed if (name := re.split(r"[.\s]", one)[0])}
        found.update(names)
    return found


def imported_packages(environment: Environment, root: Path, names: Counter[str]) -> list[Library]:
    """Installed packages that are imported, the most imported first; what the workspace itself makes is none."""
    wanted = {name: count for name, count in names.items() if not _is_own(root, name)}
    found: list[tuple[int, Library]] = []
    for distribution in distributions(path=[str(environment.packages)]):
        library = _library(distribution, environment.packages)
        count = sum(wanted.get(name, 0) for name in {_top_level(file) for file in library.files})
        if count:
            found.append((count, library))
    found.sort(key=lambda item: (-item[0], item[1].name))
    return [library for _, library in found]


def standard_library(environment: Environment) -> Library | None:
    """Its modules without their tests."""
    if environment.standard is None:
        return None
    return Library(f"python-{environment.version}", environment.standard, tuple(_walk(environment.standard)))


def _environment(prefix: Path) -> Environment | None:
    settings = _settings(prefix / "pyvenv.cfg")
    library = _library_folder(prefix)
    if library is None:
        return None
    packages = next((path for name in ("site", "dist") if (path := library / f"{name}-packages").is_dir()), None)
    if packages is None:
        return None
    base = Path(settings["home"]).parent if "home" in settings else prefix
    standard = next((path for path in (_library_folder(base), library) if path and (path / "os.py").is_file()), None)
    version = settings.get("version_info") or settings.get("version") or library.name.removeprefix("python")
    return Environment(version, packages, standard)


def _library_folder(prefix: Path) -> Path | None:
    """lib/python3.11, the newest where there are several, or Lib on Windows."""
    found = sorted((prefix / "lib").glob("python3*"), key=lambda path: [int(n) for n in re.findall(r"\d+", path.name)])
    if found:
        return found[-1]
    return prefix / "Lib" if (prefix / "Lib").is_dir() else None


def _settings(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs if value.strip()}


def _library(distribution: Distribution, packages: Path) -> Library:
    name = f"{distribution.metadata['Name']}-{distribution.version}"
    paths = (PurePosixPath(file.as_posix()) for file in distribution.files or ())
    kept = (path for path in paths if path.suffix in SOURCES and ".." not in path.parts)
    files = (path.as_posix() for path in kept if LEFT_OUT.isdisjoint(path.parts))
    return Library(name, packages, tuple(sorted(files, key=_outer_first)))


def _walk(root: Path) -> Iterator[str]:
    found = []
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if name not in LEFT_OUT]
        found += [Path(folder, file).relative_to(root).as_posix() for file in files if file.endswith(SOURCES)]
    yield from sorted(found, key=_outer_first)


def _outer_first(path: str) -> tuple[int, str]:
    """Where there is too much, what lies deep is left out."""
    return path.count("/"), path


def _top_level(file: str) -> str:
    return file.split("/", maxsplit=1)[0].partition(".")[0]


def _is_own(root: Path, name: str) -> bool:
    return any((root / place / name).is_dir() or (root / place / f"{name}.py").is_file() for place in ("", "src"))
