"""Several folders drafted from as if they were one datastore, with names that say which file it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rest_lsp.datastore.datastore import Datastore, IndexProgress
from rest_lsp.errors import DatastoreError
from rest_lsp.folders import Folders
from rest_lsp.tokenizer import Tokenizer
from tests.files_datastore import write_files, write_tokenizer

LINE = "def shared(argument):\n"
ASKED = "def shared(argument"


@pytest.fixture(scope="module")
def tokenizer_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer") / "tokenizer.json")


@pytest.fixture(scope="module")
def tokenizer(tokenizer_path: Path) -> Tokenizer:
    return Tokenizer.from_file(tokenizer_path)


@pytest.fixture
def first(tmp_path: Path) -> Path:
    return write_files(tmp_path / "first", {"a.py": f"import os\n{LINE}    return 'first'\n"})


@pytest.fixture
def second(tmp_path: Path) -> Path:
    return write_files(tmp_path / "second", {"pkg/b.py": f"\n\n{LINE}    return 'second'\n", "other.py": "x = 1\n"})


@pytest.fixture
def folders(tmp_path: Path, tokenizer_path: Path) -> Iterator[Folders]:
    def open_datastore(root: Path) -> Datastore:
        return Datastore.open(root, directory=tmp_path / "stores", tokenizer_path=tokenizer_path)

    opened = Folders(open_datastore)
    yield opened
    opened.close()


def places(folders: Folders, tokenizer: Tokenizer, text: str = ASKED, *, exclude: str | None = None) -> dict[str, int]:
    """Paths of where the text stands, with the line of what follows it."""
    ids = tokenizer.encode(text)
    found = folders.find(ids, depth=4, max_length=len(ids), exclude=exclude).occurrences()
    origins = [occurrence.origin for occurrence in found if occurrence.length == len(ids)]
    lines = {origin.path: folders.line_of(origin, tokenizer.count_newlines) for origin in origins}
    return {path: line for path, line in lines.items() if line is not None}


def test_documents_are_found_by_their_names(folders: Folders, tokenizer: Tokenizer, first: Path, second: Path) -> None:
    folders.set_roots([first, second])
    folders.refresh()
    other = str(second / "pkg" / "b.py")
    assert (folders.documents_named("a"), folders.documents_named("b")) == (["a.py"], [other])
    for path, word in (("a.py", "first"), (other, "second")):
        ids = folders.document_ids(path)
        assert ids is not None
        assert word in tokenizer.decode(ids.tolist())
    folders.set_buffer("a.py", tokenizer.encode("typed = 1\n"))
    ids = folders.document_ids("a.py")
    assert ids is not None
    assert tokenizer.decode(ids.tolist()) == "typed = 1\n"
    assert folders.document_ids("pkg/b.py") is None
    assert folders.documents_named("nothing") == []


def test_documents_of_all_folders_are_found_and_named(
    folders: Folders, tokenizer: Tokenizer, first: Path, second: Path
) -> None:
    folders.set_roots([first, second])
    seen: list[IndexProgress] = []
    folders.refresh(seen.append)
    other = str(second / "pkg" / "b.py")
    assert places(folders, tokenizer) == {"a.py": 1, other: 2}
    assert places(folders, tokenizer, exclude="a.py") == {other: 2}
    assert places(folders, tokenizer, exclude=str(first / "a.py")) == {other: 2}
    assert places(folders, tokenizer, exclude=other) == {"a.py": 1}
    status = folders.status()
    assert status is not None
    assert status["files"] == 3
    assert [folder["root"] for folder in status["folders"]] == [str(first), str(second)]
    assert max(event.done for event in seen) == 3, "files are counted over all folders"


def test_folders_come_and_go_and_the_others_keep_what_they_know(
    folders: Folders, tokenizer: Tokenizer, first: Path, second: Path
) -> None:
    folders.set_roots([])
    folders.refresh()
    assert folders.status() is None
    assert places(folders, tokenizer) == {}
    folders.set_roots([first])
    folders.refresh()
    folders.set_roots([first, second])
    assert places(folders, tokenizer) == {"a.py": 1}, "what is new is not indexed yet"
    folders.refresh()
    folders.set_roots([second])
    assert places(folders, tokenizer) == {"pkg/b.py": 2}, "it is the first folder now"


def test_buffers_go_to_the_folder_that_they_lie_in(
    folders: Folders, tokenizer: Tokenizer, first: Path, second: Path
) -> None:
    folders.set_roots([first, second])
    ids = tokenizer.encode(f"{LINE}    return 'unsaved'\n")
    for name in ("a.py", str(second / "other.py"), "untitled:1", "/elsewhere/c.py"):
        folders.set_buffer(name, ids)
    assert set(places(folders, tokenizer)) == {"a.py", str(second / "other.py"), "untitled:1"}
    assert folders.open_paths == {"a.py", f"{second.as_posix()}/other.py", "untitled:1"}
    assert folders.admits(str(second / "other.py"))
    assert not folders.admits("/elsewhere/c.py")
    folders.drop_buffer(str(second / "other.py"))
    assert set(places(folders, tokenizer)) == {"a.py", "untitled:1"}


def test_a_folder_within_another_does_not_draft_from_the_document_itself(
    folders: Folders, tokenizer: Tokenizer, first: Path
) -> None:
    write_files(first / "inner", {"c.py": f"{LINE}    return 'inner'\n"})
    folders.set_roots([first, first / "inner"])
    folders.refresh()
    assert places(folders, tokenizer, exclude="inner/c.py") == {"a.py": 1}
    assert set(places(folders, tokenizer)) == {"a.py", "inner/c.py", str(first / "inner" / "c.py")}


def test_a_folder_that_cannot_be_indexed_does_not_stop_the_others(
    folders: Folders, tokenizer: Tokenizer, first: Path, second: Path
) -> None:
    with pytest.raises(DatastoreError):
        folders.set_roots([first, first / "missing", second])
    folders.refresh()
    assert set(places(folders, tokenizer)) == {"a.py", str(second / "pkg" / "b.py")}
