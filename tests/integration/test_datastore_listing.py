"""Listing and reading real files, with git and without: links, devices, ignore files, odd names."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

from rest_lsp.datastore.listing import Listing
from rest_lsp.datastore.rules import IndexRules
from rest_lsp.datastore.source_file import Content, Unreadable, indexable_text, read_content, stamp_of
from rest_lsp.errors import DatastoreError
from tests.files_datastore import git, write_files

RULES = IndexRules(max_file_bytes=1_000)
FILES = {
    "a.py": "a",
    "lib/b.py": "b",
    "lib/deep/c.py": "c",
    "lib/deep/kept.log.py": "k",
    "ignored.txt": "i",
    "logs/x.txt": "x",
    "own/secret_plan.py": "s",
    "node_modules/m/index.js": "m",
    ".env": "TOKEN=1",
    "poetry.lock": "l",
    ".gitignore": "ignored.txt\nlogs/\n",
    "lib/.gitignore": "*.py\n!b.py\n!deep/\n",
    "lib/deep/.gitignore": "!kept.log.py\n",
    ".restlspignore": "own/\n",
}
EXPECTED = {"a.py", "lib/b.py", "lib/deep/kept.log.py", ".gitignore", "lib/.gitignore", "lib/deep/.gitignore"}


@pytest.fixture(params=["git", "walk"])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    root = write_files(tmp_path / "work", FILES)
    if request.param == "git":
        git(root, "init", "-q")
    return root


def visible(paths: list[str]) -> set[str]:
    return {path for path in paths if path != ".restlspignore"}


def test_what_git_ignores_is_left_out_and_so_is_what_rules_name(workspace: Path) -> None:
    assert visible(Listing(workspace, RULES).files()) == EXPECTED


def test_some_paths_can_be_asked_for(workspace: Path) -> None:
    listing = Listing(workspace, RULES)
    assert visible(listing.files(["lib"])) == {path for path in EXPECTED if path.startswith("lib/")}
    assert listing.files(["a.py", "missing.py", "ignored.txt", "lib/deep/c.py"]) == ["a.py"]


def test_top_level_directories_worth_watching(workspace: Path) -> None:
    assert Listing(workspace, RULES).watched_directories() in (["lib"], ["lib", "logs"])


def test_tracked_files_are_listed_even_if_ignored_later(tmp_path: Path) -> None:
    root = write_files(tmp_path, {"a.py": "a", "b.py": "b"})
    git(root, "init", "-q")
    git(root, "add", "-f", "a.py")
    write_files(root, {".gitignore": "*.py\n"})
    assert sorted(Listing(root, RULES).files()) == [".gitignore", "a.py"]


def test_a_folder_inside_a_repository_is_listed_from_there(tmp_path: Path) -> None:
    root = write_files(tmp_path, {"top.py": "t", "sub/a.py": "a", ".gitignore": "x.py", "sub/x.py": "x"})
    git(root, "init", "-q")
    assert Listing(root / "sub", RULES).files() == ["a.py"]


def test_settings_of_a_repository_start_no_programs(tmp_path: Path) -> None:
    root = write_files(tmp_path / "work", {"a.py": "a"})
    git(root, "init", "-q")
    marker = tmp_path / "started"
    git(root, "config", "core.fsmonitor", f"touch {marker}; false")
    assert Listing(root, RULES).files() == ["a.py"]
    assert not marker.exists()


def test_hostile_names_are_listed_as_they_are(workspace: Path) -> None:
    names = [b"new\nline.py", b"caf\xe9.py", b'quote"d.py', b" space .py", b"-dash.py", b"x" * 250 + b".py"]
    for name in names:
        Path(os.fsdecode(os.fsencode(workspace) + b"/" + name)).write_text("x = 1\n")
    decoded = {os.fsdecode(name) for name in names}
    assert decoded <= set(Listing(workspace, RULES).files())
    assert set(Listing(workspace, RULES).files(sorted(decoded))) == decoded
    for path in decoded:
        assert isinstance(read_content(workspace, path, RULES), Content)


def test_only_regular_files_inside_are_read(tmp_path: Path) -> None:
    outside = write_files(tmp_path / "outside", {"o.py": "o"})
    root = write_files(tmp_path / "work", {"a.py": "a", "dir/b.py": "b", "empty.py": "", "large.py": "x" * 1_001})
    (root / "link.py").symlink_to(outside / "o.py")
    (root / "linked").symlink_to(outside)
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe.py")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(root / "socket.py"))
        reasons = {
            path: stamp_of(root, path, RULES)
            for path in ("link.py", "linked/o.py", "loop/a.py", "pipe.py", "socket.py", "gone.py", "dir", "large.py")
        }
    assert all(isinstance(reason, Unreadable) for reason in reasons.values()), reasons
    content = read_content(root, "dir/b.py", RULES)
    assert isinstance(content, Content)
    assert content.data == b"b"
    assert {"a.py", "dir/b.py"} <= set(Listing(root, RULES).files()), "and the walk ends"


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_files(tmp_path, {"a.py": "first"})
    from rest_lsp.datastore import source_file

    read = source_file._read
    texts = iter(["second!", "third!!!"])

    def torn(path: Path, max_bytes: int) -> bytes:
        data = read(path, max_bytes)
        if (text := next(texts, None)) is not None:
            path.write_text(text)
        return data

    monkeypatch.setattr(source_file, "_read", torn)
    content = read_content(root, "a.py", RULES)
    assert isinstance(content, Content)
    assert content.data == b"third!!!"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"x = 1\n", "x = 1\n"),
        (b"\xef\xbb\xbfx = 1\r\n", "x = 1\n"),
        (b"caf\xe9 = 1\n", "caf\ufffd = 1\n"),
        (b"x\0y", Unreadable("binary")),
        ("x = 1".encode("utf-16"), Unreadable("binary")),
        (b"", Unreadable("empty")),
    ],
)
def test_bytes_become_text(data: bytes, expected: str | Unreadable) -> None:
    assert indexable_text(data) == expected


def test_a_git_that_stops_answering_lets_no_ignored_file_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_files(tmp_path / "work", {"a.py": "a"})
    git(root, "init", "-q")
    listing = Listing(root, RULES)
    assert listing.files() == ["a.py"]
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DatastoreError, match="git does not list"):
        listing.files()
    assert Listing(root, RULES).files() == ["a.py"], "who never had git walks"
    shutil.rmtree(root / ".git")
    assert listing.files() == ["a.py"], "the repository was removed on purpose"
