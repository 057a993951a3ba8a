"""`rest-lsp complete` on files as they come: the request it makes, and a real engine behind it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rest_lsp.cli import main
from rest_lsp.cli_complete import read_request
from rest_lsp.errors import RequestError
from rest_lsp.positions import Position
from tests.files_cli import Place, make_place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return make_place(tmp_path_factory.mktemp("complete"))


def complete(place: Place, name: str, content: bytes, line: int, column: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the command in this process; it ends in SystemExit."""
    (place.workspace / name).write_bytes(content)
    for variable, value in place.environment.items():
        monkeypatch.setenv(variable, value)
    position = ["--line", str(line), "--column", str(column)]
    monkeypatch.setattr("sys.argv", ["rest-lsp", "complete", str(place.workspace / name), *position, "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0


@pytest.mark.parametrize(
    ("name", "content", "line", "column"),
    [
        ("empty.py", b"", 0, 0),
        ("crlf.py", b"def f(a):\r\n    return a\r\n", 1, 11),
        ("emoji.py", "name = '😀😀' + ".encode(), 0, 16),
        ("marker.py", b"text = '<|fim_middle|><|fim_suffix|>'\nprint(", 1, 6),
        ("long.py", b"value = 1\n" * 500_000 + b"print(val", 500_000, 9),
        ("latin.py", "name = 'é'\n".encode("latin-1"), 1, 0),
        ("mark.py", b"\xef\xbb\xbfname = 1\n", 0, 4),
    ],
)
def test_any_text_file_can_be_completed(
    place: Place,
    name: str,
    content: bytes,
    line: int,
    column: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    complete(place, name, content, line, column, monkeypatch)
    answer = json.loads(capsys.readouterr().out)
    assert answer["outcome"] in ("returned", "empty")
    assert answer["range"]["start"] == {"line": line, "character": column}
    assert "<|" not in answer["text"]


def test_columns_are_utf16_units(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("😀x", encoding="utf-8")
    assert [read_request(file, Position(0, column), tmp_path).offset for column in (0, 2, 3)] == [0, 1, 2]
    with pytest.raises(RequestError, match=r"a\.py"):
        read_request(file, Position(0, 1), tmp_path)


def test_line_ends_and_unknown_bytes_stay_where_they_are(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"a\r\nb\xff")
    request = read_request(file, Position(1, 1), tmp_path)
    assert (request.text, request.offset) == ("a\r\nb\ufffd", 4)


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"\xef\xbb\xbfname")
    assert read_request(file, Position(0, 4), tmp_path).text == "name"


def test_a_path_is_relative_inside_the_workspace_and_absolute_outside(tmp_path: Path) -> None:
    inside, outside = tmp_path / "w" / "p" / "a.py", tmp_path / "b.rs"
    inside.parent.mkdir(parents=True)
    for file in (inside, outside):
        file.touch()
    requests = [read_request(file, Position(0, 0), tmp_path / "w") for file in (inside, outside)]
    assert [(request.path, request.language) for request in requests] == [
        ("p/a.py", "python"),
        (str(outside), "rust"),
    ]
