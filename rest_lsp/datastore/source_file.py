"""Reads one file of the workspace: regular, whole, not too large, text, and without its secrets.  Knows no tokens."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import NamedTuple

from rest_lsp.datastore.format import HASH_BYTES
from rest_lsp.datastore.rules import VENDORED_DIRECTORIES, IndexRules, content_verdict, is_secret
from rest_lsp.datastore.secrets import SECRETS_VERSION, without_secrets

READ_TRIES = 3


class FileStamp(NamedTuple):
    """What tells cheaply that a file may have changed.  Programs can set `mtime_ns` back, but not `ctime_ns`."""

    mtime_ns: int
    size: int
    ctime_ns: int = 0


class Unreadable(NamedTuple):
    """A file that is left out.  `stamp` is None when it could not even be looked at."""

    reason: str
    stamp: FileStamp | None = None


class Content(NamedTuple):
    """The bytes of a file as they were at one moment."""

    stamp: FileStamp
    data: bytes

    @property
    def content_hash(self) -> bytes:
        """Names what is indexed of the content: rules that remove more or less make another hash."""
        return hashlib.blake2b(self.data, digest_size=HASH_BYTES, person=b"secrets %d" % SECRETS_VERSION).digest()


def stamp_of(root: Path, path: str, rules: IndexRules) -> FileStamp | Unreadable:
    """Look at a file without opening it.  Links and devices are never followed or opened."""
    try:
        status = (root / path).lstat()
    except (OSError, ValueError):
        return Unreadable("missing")
    if not stat.S_ISREG(status.st_mode):
        return Unreadable("not a file")
    stamp = FileStamp(status.st_mtime_ns, status.st_size, status.st_ctime_ns)
    if status.st_size > rules.max_file_bytes:
        return Unreadable("too large", stamp)
    if not _lies_inside(root, path):
        return Unreadable("linked")
    return stamp


def read_content(root: Path, path: str, rules: IndexRules) -> Content | Unreadable:
    """Read a file, again when it changes meanwhile, so that a torn save is never taken for a version of it."""
    for _ in range(READ_TRIES):
        before = stamp_of(root, path, rules)
        if isinstance(before, Unreadable):
            return before
        try:
            data = _read(root / path, rules.max_file_bytes)
        except OSError:
            return Unreadable("unreadable", before)
        if len(data) == before.size and stamp_of(root, path, rules) == before:
            return Content(before, data)
    return Unreadable("changing")


def secret_contents(root: Path, rules: IndexRules) -> set[bytes]:
    """Hashes of what lies anywhere in the workspace under a name that says secret, such as `.env`, ignored or not."""
    found = set()
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if name not in VENDORED_DIRECTORIES]
        for name in filter(is_secret, files):
            content = read_content(root, Path(folder, name).relative_to(root).as_posix(), rules)
            found |= {content.content_hash} if isinstance(content, Content) else set()
    return found


def indexable_text(data: bytes) -> str | Unreadable:
    """The text to index: invalid UTF-8 is replaced, lines with secrets are emptied, and lines end like a prompt's."""
    if b"\0" in data:
        return Unreadable("binary")
    text = text_of(data)
    verdict = content_verdict(text)
    return Unreadable(verdict) if verdict else without_secrets(text)


def text_of(data: bytes) -> str:
    """The text that a file holds, its secrets included."""
    return data.decode("utf-8-sig", "replace").replace("\r\n", "\n")


def _read(path: Path, max_bytes: int) -> bytes:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(max_bytes + 1)


def _lies_inside(root: Path, path: str) -> bool:
    """Whether no directory on the way is a link: such a file belongs to another place, or is listed there as well."""
    parent = (root / path).parent
    return parent == root or os.path.realpath(parent) == str(parent)
