"""`textDocument/inlineCompletion` on documents of every kind, over real pipes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import WAYS, served
from tests.e2e.lsp_client import LspClient

URI = "file:///nowhere/a.py"


def started(client: LspClient, root: Path | None = None, **fields: object) -> LspClient:
    client.initialize(root, **fields)  # type: ignore[arg-type]
    client.wait_for_state("ready")
    return client


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="module", params=WAYS)
def client(request: pytest.FixtureRequest, workspace: Path) -> Iterator[LspClient]:
    with served(request.param), LspClient() as process:
        yield started(process, workspace)


def place(line: int, character: int) -> dict[str, object]:
    position = {"line": line, "character": character}
    return {"start": position, "end": position}


def test_every_item_has_a_range(client: LspClient) -> None:
    client.open(URI, "first\n  word")
    assert client.complete(URI, 1, 6) == [{"insertText": "<4>", "range": place(1, 6)}]


def test_nothing_to_say_is_an_empty_list(client: LspClient) -> None:
    client.open(URI, "empty")
    assert client.complete(URI, 0, 5) == []


@pytest.mark.parametrize(("encoding", "column"), [("utf-8", 12), ("utf-16", 10), ("utf-32", 9)])
def test_an_emoji_before_the_cursor(encoding: str, column: int, workspace: Path) -> None:
    with LspClient() as process:
        result = process.initialize(workspace, encodings=[encoding])
        assert result["capabilities"]["positionEncoding"] == encoding
        process.wait_for_state("ready")
        process.open(URI, "x = '\U0001f600' word")
        # The cursor stands after "wo"; the quotation marks and the emoji are before it.
        answer = process.complete(URI, 0, column + 1)
        assert answer == [{"insertText": "<2>", "range": place(0, column + 1)}]


def test_the_first_encoding_that_both_know_is_taken(workspace: Path) -> None:
    with LspClient() as process:
        result = process.initialize(workspace, encodings=["utf-7", "utf-32", "utf-8"])
        assert result["capabilities"]["positionEncoding"] == "utf-32"


def test_incremental_changes_with_emoji_and_form_feeds(client: LspClient) -> None:
    client.open(URI, "\U0001f600\f\n\u2028x\nlast")
    start = {"line": 1, "character": 1}
    client.change(
        URI,
        2,
        {"range": {"start": start, "end": {"line": 1, "character": 2}}, "text": "hello"},
        {"range": {"start": {"line": 0, "character": 2}, "end": {"line": 0, "character": 2}}, "text": "!\n"},
    )
    assert client.complete(URI, 2, 6)[0] == {"insertText": "<5>", "range": place(2, 6)}


def test_positions_outside_the_document(client: LspClient) -> None:
    client.open(URI, "some word\nlast one")
    assert client.complete(URI, 0, 999) == [{"insertText": "<4>", "range": place(0, 9)}]
    assert client.complete(URI, 99, 3) == [{"insertText": "<3>", "range": place(1, 8)}]


def test_an_empty_document(client: LspClient) -> None:
    client.open(URI, "")
    assert client.complete(URI, 0, 0) == [{"insertText": "<0>", "range": place(0, 0)}]


def test_a_document_of_five_megabytes(client: LspClient) -> None:
    line = "x = 1  # a line of code\n"
    n_lines = 5_000_000 // len(line)
    client.open(URI, line * n_lines + "word")
    end = {"line": n_lines, "character": 4}
    client.change(URI, 2, {"range": {"start": end, "end": end}, "text": "s"})
    assert client.complete(URI, n_lines, 5) == [{"insertText": "<5>", "range": place(n_lines, 5)}]


def test_a_binary_document(client: LspClient) -> None:
    client.open(URI, "\0\1\2word")
    assert client.complete(URI, 0, 7) == []


def test_a_crlf_document(client: LspClient) -> None:
    client.open(URI, "first\r\nword\r\nlast")
    assert client.complete(URI, 1, 4) == [{"insertText": "<4>", "range": place(1, 4)}]
    assert client.complete(URI, 1, 99) == [{"insertText": "<4>", "range": place(1, 4)}]


def test_line_ends_of_completions_are_the_documents_but_for_neovim(workspace: Path) -> None:
    for name, shown in (("Visual Studio Code", "one\r\ntwo"), ("Neovim", "one\ntwo")):
        with LspClient() as process:
            started(process, workspace, name=name)
            process.open(URI, "lines\r\n")
            assert process.complete(URI, 0, 5)[0]["insertText"] == shown


def test_text_that_looks_like_a_control_token_is_only_text(client: LspClient) -> None:
    client.open(URI, "<|fim_middle|>")
    assert client.complete(URI, 0, 14)[0]["insertText"] == "<14>"


def test_half_an_emoji(client: LspClient) -> None:
    client.open(URI, "a\ud83d word")
    assert client.complete(URI, 0, 7)[0]["insertText"] == "<4>"


def test_other_schemes_and_windows_drives(client: LspClient) -> None:
    for uri, path in (
        ("untitled:Untitled-1", "untitled:Untitled-1"),
        ("vscode-notebook-cell:/n.ipynb#W0", "vscode-notebook-cell:/n.ipynb#W0"),
        ("file:///c%3A/Users/me/a.py", "c:/Users/me/a.py"),
    ):
        client.open(uri, "word")
        assert client.complete(uri, 0, 4)[0]["insertText"] == "<4>"
        assert client.ask("rest/status")["datastore"]["last_path"] == path


def test_one_document_under_two_spellings(client: LspClient) -> None:
    client.open("file:///c%3A/a.py", "word")
    assert client.complete("file:///c:/a.py", 0, 4)[0]["insertText"] == "<4>"


def test_an_unopened_file_of_the_workspace_is_read(client: LspClient, workspace: Path) -> None:
    (workspace / "b.py").write_text("from the disk\n")
    uri = (workspace / "b.py").as_uri()
    assert client.complete(uri, 0, 13)[0]["insertText"] == "<4>"
    (workspace / "b.py").write_text("changed meanwhile\n")
    assert client.complete(uri, 0, 17)[0]["insertText"] == "<9>", "nothing of it is kept"


def test_unknown_files_are_answered_with_nothing(
    client: LspClient, workspace: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "c.py"
    outside.write_text("word")
    (workspace / "binary").write_bytes(b"\0\xff\xfe")
    (workspace / "link.py").unlink(missing_ok=True)
    (workspace / "link.py").symlink_to(outside)
    for uri in (
        (workspace / "missing.py").as_uri(),
        (workspace / "binary").as_uri(),
        (workspace / "link.py").as_uri(),
        workspace.as_uri(),
        outside.as_uri(),
        "untitled:never-opened",
        "no uri at all",
        "",
    ):
        assert client.complete(uri, 0, 1) == [], uri


def test_language_trigger_and_path_reach_the_service(client: LspClient, workspace: Path) -> None:
    uri = (workspace / "pkg" / "a.ts").as_uri()
    client.open(uri, "word", language="typescript")
    client.complete(uri, 0, 4, kind=2)
    seen = client.ask("rest/status")["datastore"]
    assert (seen["last_path"], seen["last_language"], seen["last_trigger"]) == ("pkg/a.ts", "typescript", "automatic")


def test_the_menus_item_is_extended_in_its_range(client: LspClient) -> None:
    client.open(URI, "x.app + y")
    menu = {"start": {"line": 0, "character": 2}, "end": {"line": 0, "character": 5}}
    answer = client.complete(URI, 0, 5, selected={"range": menu, "text": "append"})
    assert answer == [{"insertText": "append<5>", "range": menu}]


def test_the_menus_item_replaces_what_stands_after_the_cursor(client: LspClient) -> None:
    client.open(URI, "x.append + y")
    menu = {"start": {"line": 0, "character": 2}, "end": {"line": 0, "character": 8}}
    answer = client.complete(URI, 0, 5, selected={"range": menu, "text": "apply"})
    assert answer == [{"insertText": "apply<5>", "range": menu}]
    assert client.ask("rest/status")["datastore"]["last_length"] == len("x.app + y")


def test_a_menu_that_is_elsewhere_is_answered_with_nothing(client: LspClient) -> None:
    client.open(URI, "x.app\ny")
    menu = {"start": {"line": 1, "character": 0}, "end": {"line": 1, "character": 1}}
    assert client.complete(URI, 0, 5, selected={"range": menu, "text": "y"}) == []


def test_a_version_other_than_the_documents_is_superseded(client: LspClient) -> None:
    client.open(URI, "word", version=4)
    assert client.complete(URI, 0, 4, version=3) is None
    assert client.complete(URI, 0, 4, version=4)[0]["insertText"] == "<4>"


def test_an_unopened_file_under_a_workspace_without_git_and_without_a_folder() -> None:
    with LspClient() as process:
        started(process, None)
        assert process.complete(URI, 0, 0) == []
        process.open(URI, "word")
        assert process.complete(URI, 0, 4)[0]["insertText"] == "<4>"
