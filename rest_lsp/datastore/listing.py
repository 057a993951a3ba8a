"""Which files belong to a workspace: what git lists, or a walk that reads .gitignore files where there is no git."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pathspec import GitIgnoreSpec

from rest_lsp.datastore.rules import BUILD_DIRECTORIES, IGNORE_FILE, VENDORED_DIRECTORIES, IndexRules
from rest_lsp.errors import DatastoreError

GIT_TIMEOUT_S = 120.0

_log = logging.getLogger(__name__)


class Listing:
    """Answers with paths relative to the workspace, with slashes, that ignore rules and path rules allow.

    Listed files need not be regular or readable, nor even exist.
    """

    def __init__(self, root: Path, rules: IndexRules) -> None:
        self._root = root
        self._rules = rules
        self._git_has_answered = False

    def files(self, below: Sequence[str] = ()) -> list[str]:
        """All files, or those among or beneath the paths `below`, which need not exist.

        Raises DatastoreError when the workspace has gone, which does not mean that its files were deleted; and when
        git, which answered before, does not now: without it ignored files would come in.
        """
        if not self._root.is_dir():
            raise DatastoreError(f"The folder {self._root} has gone.", "Its index is kept for when it is back.")
        own_ignores = _read_ignore_file(self._root / IGNORE_FILE)
        listed = self._ask_git(below)
        if listed is None:
            listed = self._walk(below)
        return [
            path
            for path in dict.fromkeys(listed)
            if not path.endswith("/") and not self._rules.path_verdict(path) and not own_ignores.match_file(path)
        ]

    def watched_directories(self) -> list[str]:
        """Top-level directories that may hold listed files."""
        own_ignores = _read_ignore_file(self._root / IGNORE_FILE)
        names = [entry.name for entry in _scan(self._root) if entry.is_dir(follow_symlinks=False)]
        names = [name for name in names if name not in VENDORED_DIRECTORIES and not own_ignores.match_file(name + "/")]
        ignored = self._ignored_by_git(names)
        return [name for name in names if name not in ignored]

    def _ask_git(self, below: Sequence[str]) -> Iterable[str] | None:
        """None where git has no say: no repository, no git, or a repository that git refuses."""
        answer = _git(
            self._root, ["--literal-pathspecs", "ls-files", "-c", "-o", "--exclude-standard", "-z", "--", *below]
        )
        if answer is None or answer.returncode != 0:
            if self._git_has_answered and _is_in_repository(self._root):
                raise DatastoreError(
                    f"git does not list the files of {self._root} any more.", "Try `git status` there."
                )
            return None
        self._git_has_answered = True
        return [os.fsdecode(path) for path in answer.stdout.split(b"\0") if path]

    def _ignored_by_git(self, directories: Sequence[str]) -> set[str]:
        question = b"".join(os.fsencode(name) + b"/\0" for name in directories)
        answer = _git(self._root, ["check-ignore", "-z", "--stdin"], question)
        if answer is None or answer.returncode not in (0, 1):
            return set()
        return {os.fsdecode(path).rstrip("/") for path in answer.stdout.split(b"\0") if path}

    def _walk(self, below: Sequence[str]) -> Iterator[str]:
        wanted = [path.rstrip("/") for path in below]
        pending = [_Directory("", (*_inherited(self._root),))]
        while pending:
            directory = pending.pop()
            specs = directory.specs
            own = _read_ignore_file(self._root / directory.path / ".gitignore")
            if len(own.patterns):
                specs = (*specs, _Scoped(directory.path, own))
            for entry in _scan(self._root / directory.path):
                path = f"{directory.path}/{entry.name}" if directory.path else entry.name
                is_directory = entry.is_dir(follow_symlinks=False)
                if not _is_on_the_way(path, wanted) or _is_ignored(path, is_directory, specs):
                    continue
                if not is_directory:
                    yield path
                elif entry.name not in VENDORED_DIRECTORIES and entry.name not in BUILD_DIRECTORIES:
                    pending.append(_Directory(path, specs))


class _Scoped(NamedTuple):
    """Ignore patterns and the directory that they are relative to."""

    directory: str
    spec: GitIgnoreSpec


class _Directory(NamedTuple):
    path: str
    specs: tuple[_Scoped, ...]


def _is_in_repository(root: Path) -> bool:
    return any((folder / ".git").exists() for folder in (root, *root.parents))


def _is_ignored(path: str, is_directory: bool, specs: Sequence[_Scoped]) -> bool:
    """As git does it: the deepest file with a pattern that matches decides."""
    for directory, spec in reversed(specs):
        relative = path[len(directory) + 1 :] if directory else path
        verdict = spec.check_file(relative + "/" if is_directory else relative).include
        if verdict is not None:
            return verdict
    return False


def _is_on_the_way(path: str, wanted: Sequence[str]) -> bool:
    return not wanted or any(
        path == target or path.startswith(target + "/") or target.startswith(path + "/") for target in wanted
    )


def _inherited(root: Path) -> Iterator[_Scoped]:
    """Rules that a repository has besides its .gitignore files, for a repository that git itself would not read."""
    spec = _read_ignore_file(root / ".git" / "info" / "exclude")
    if len(spec.patterns):
        yield _Scoped("", spec)


def _scan(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        _log.info("%s cannot be listed: %s", directory, error.strerror)
        return []


def _read_ignore_file(path: Path) -> GitIgnoreSpec:
    try:
        lines = path.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        lines = []
    return GitIgnoreSpec.from_lines(lines)


def _git(root: Path, arguments: Sequence[str], stdin: bytes = b"") -> subprocess.CompletedProcess[bytes] | None:
    """Ask git about `root`.  A hook's variables must not mislead it, nor the repository's settings start programs."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    command = ["git", "-c", "core.fsmonitor=false", *arguments]
    try:
        return subprocess.run(
            command, cwd=root, env=environment, input=stdin, capture_output=True, timeout=GIT_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.info("git cannot be asked: %s", error)
        return None
