"""Changes on disk and in the editor become visible by themselves, in a real folder with a real worker."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from rest_lsp.datastore.datastore import Datastore
from rest_lsp.tokenizer import Tokenizer
from tests.files_datastore import git, write_files, write_tokenizer
from tests.waiting import wait_until

FILES = {"a.py": "alpha_name = 1\n", "lib/b.py": "beta_name = 2\n", "lib/deep/c.py": "gamma_name = 3\n"}


class Watched:
    """A watched workspace and questions about it."""

    def __init__(self, root: Path, datastore: Datastore, tokenizer: Tokenizer) -> None:
        self.root = root
        self.datastore = datastore
        self.tokenizer = tokenizer

    def paths(self, name: str, exclude: str | None = None) -> set[str]:
        context = self.tokenizer.encode(name)
        found = self.datastore.find(
            context, depth=1, min_length=len(context), limit=100, exclude=exclude, time_limit_ms=1e6
        ).occurrences()
        return {one.origin.path for one in found}

    def expect(self, name: str, *paths: str) -> None:
        """Wait until exactly these documents hold `name` (up to 16 tokens)."""
        wait_until(lambda: self.paths(name) == set(paths), f"{name} is in {paths} only")


@pytest.fixture(scope="module")
def tokenizer_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer") / "tokenizer.json")


@pytest.fixture(params=["git", "plain"])
def watched(request: pytest.FixtureRequest, tmp_path: Path, tokenizer_path: Path) -> Iterator[Watched]:
    root = write_files(tmp_path / "work", FILES)
    if request.param == "git":
        git(root, "init", "-q", "-b", "main")
    datastore = Datastore.open(root, directory=tmp_path / "cache", tokenizer_path=tokenizer_path)
    datastore.watch()
    watched = Watched(root, datastore, Tokenizer.from_file(tokenizer_path))
    wait_until(lambda: datastore.status().watching and datastore.status().files == 3, "everything is indexed")
    yield watched
    datastore.close()


def test_saved_new_renamed_and_deleted_files(watched: Watched) -> None:
    write_files(watched.root, {"lib/b.py": "changed_name = 2\n"})
    watched.expect("changed_name", "lib/b.py")
    watched.expect("beta_name")
    write_files(watched.root, {"new.py": "brand_new = 1\n"})
    watched.expect("brand_new", "new.py")
    (watched.root / "new.py").rename(watched.root / "lib" / "moved.py")
    watched.expect("brand_new", "lib/moved.py")
    (watched.root / "lib" / "moved.py").unlink()
    watched.expect("brand_new")
    assert watched.paths("alpha_name") == {"a.py"}


def test_saving_by_renaming_over(watched: Watched) -> None:
    write_files(watched.root, {"lib/.b.py.swp": "replaced_name = 2\n"})
    (watched.root / "lib/.b.py.swp").replace(watched.root / "lib/b.py")
    watched.expect("replaced_name", "lib/b.py")
    watched.expect("beta_name")


def test_folders_that_come_move_and_go(watched: Watched, tmp_path: Path) -> None:
    write_files(watched.root, {"fresh/very/deep/d.py": "delta_name = 4\n"})
    watched.expect("delta_name", "fresh/very/deep/d.py")
    write_files(watched.root, {"fresh/very/deep/d.py": "delta_again = 4\n"})
    watched.expect("delta_again", "fresh/very/deep/d.py")
    (watched.root / "lib").rename(watched.root / "source")
    watched.expect("gamma_name", "source/deep/c.py")
    write_files(watched.root, {"source/deep/c.py": "gamma_again = 3\n"})
    watched.expect("gamma_again", "source/deep/c.py")
    shutil.move(watched.root / "source", tmp_path / "elsewhere")
    watched.expect("gamma_again")
    shutil.rmtree(watched.root / "fresh")
    watched.expect("delta_again")
    write_files(watched.root, {"fresh/e.py": "epsilon_name = 5\n"})
    watched.expect("epsilon_name", "fresh/e.py")


def test_an_ignore_rule_purges(watched: Watched) -> None:
    write_files(watched.root, {".gitignore": "lib/deep/\n"})
    watched.expect("gamma_name")
    assert watched.paths("beta_name") == {"lib/b.py"}
    write_files(watched.root, {"lib/deep/c.py": "gamma_again = 3\n", "last.py": "last_name = 1\n"})
    watched.expect("last_name", "last.py")
    assert watched.paths("gamma_again") == set()
    write_files(watched.root, {".gitignore": ""})
    watched.expect("gamma_again", "lib/deep/c.py")


def test_many_files_at_once(watched: Watched) -> None:
    write_files(watched.root, {f"many/f{number}.py": f"many_name = {number}\n" for number in range(400)})
    wait_until(lambda: watched.datastore.status().files == 403, "all are indexed")
    shutil.rmtree(watched.root / "many")
    wait_until(lambda: watched.datastore.status().files == 3, "all are gone")


def test_a_killed_worker_comes_back_and_catches_up(watched: Watched) -> None:
    pid = watched.datastore.worker_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    write_files(watched.root, {"a.py": "omega_name = 1\n"})
    watched.expect("omega_name", "a.py")
    write_files(watched.root, {"a.py": "omega_again = 1\n"})
    watched.expect("omega_again", "a.py")


def test_an_open_buffer_supersedes_the_file_until_it_is_closed(watched: Watched) -> None:
    datastore, encode = watched.datastore, watched.tokenizer.encode
    datastore.set_buffer("a.py", encode("unsaved_name = 1\n"))
    assert watched.paths("unsaved_name") == {"a.py"}
    assert watched.paths("alpha_name") == set()
    assert watched.paths("unsaved_name", exclude="a.py") == set()
    assert watched.paths("unsaved_name", exclude=str(watched.root / "a.py")) == set()
    write_files(watched.root, {"a.py": "stored_name = 1\n", "z.py": "zeta_name = 1\n"})
    watched.expect("zeta_name", "z.py")
    assert watched.paths("stored_name") == set(), "the buffer still counts"
    datastore.set_buffer("/somewhere/else.py", encode("outside_name = 1\n"))
    assert watched.paths("outside_name") == set()
    datastore.drop_buffer(str(watched.root / "a.py"))
    assert watched.paths("unsaved_name") == set()
    watched.expect("stored_name", "a.py")


@pytest.mark.parametrize("path", [".env", "poetry.lock", "node_modules/a.js", "api_pb2.py", "/outside/a.py", "a\0.py"])
def test_buffers_of_files_that_are_never_indexed_stay_out(watched: Watched, path: str) -> None:
    watched.datastore.set_buffer(path, watched.tokenizer.encode("hidden_name = 1\n"))
    assert watched.paths("hidden_name") == set()
    assert not watched.datastore.admits(path)


@pytest.mark.parametrize("with_git", [True, False])
def test_ignored_files_are_not_admitted(tmp_path: Path, with_git: bool) -> None:
    root = write_files(
        tmp_path / "ignoring",
        {".gitignore": "private/\n", ".restlspignore": "own.py\n", "private/a.py": "x", "own.py": "x", "a.py": "x"},
    )
    if with_git:
        git(root, "init", "-q")
    datastore = Datastore.open(
        root, directory=tmp_path / "index", tokenizer_path=write_tokenizer(tmp_path / "tokenizer.json")
    )
    admitted = [path for path in ("private/a.py", "own.py", "a.py", "not_there.py") if datastore.admits(path)]
    datastore.close()
    assert admitted == ["a.py"]


def test_a_file_being_completed_can_be_left_out(watched: Watched) -> None:
    assert watched.paths("beta_name") == {"lib/b.py"}
    assert watched.paths("beta_name", exclude="lib/b.py") == set()
    assert watched.paths("beta_name", exclude="a.py") == {"lib/b.py"}
