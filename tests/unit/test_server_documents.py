"""Positions in all encodings, and incremental edits against the same edits on plain text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from rest_lsp.server.buffers import document_name, without_surrogates
from rest_lsp.server.documents import Document, EditorWorkspace, file_path
from rest_lsp.server.positions import LinePositionCodec, split_lines

TEXT = st.text(alphabet="ab\n\r\f\u2028\u00e9\u6f22\U0001f600", max_size=40)
ENCODINGS = list(types.PositionEncodingKind)


def document(text: str, encoding: types.PositionEncodingKind = types.PositionEncodingKind.Utf16) -> Document:
    return Document("file:///a.py", text, version=1, language="python", codec=LinePositionCodec(encoding))


def units(text: str, encoding: types.PositionEncodingKind) -> int:
    codec, width = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}[encoding.value]
    return len(text.encode(codec)) // width


def position_at(text: str, offset: int, encoding: types.PositionEncodingKind) -> types.Position:
    """Reference: count line ends before the offset, then the units after the last one."""
    ends = [match.end() for match in re.finditer(r"\r\n|\n|\r", text) if match.end() <= offset]
    return types.Position(len(ends), units(text[ends[-1] if ends else 0 : offset], encoding))


def offsets_at_characters(text: str) -> list[int]:
    """Every index a client can name: not between CR and LF."""
    return [index for index in range(len(text) + 1) if text[max(0, index - 1) : index + 1] != "\r\n"]


@given(TEXT)
def test_lines_hold_all_text_and_end_where_lsp_says(text: str) -> None:
    lines = split_lines(text)
    assert "".join(lines) == text
    assert len(lines) == len(re.findall(r"\r\n|\n|\r", text)) + 1


@given(TEXT, st.sampled_from(ENCODINGS), st.data())
def test_positions_round_trip(text: str, encoding: types.PositionEncodingKind, data: st.DataObject) -> None:
    offset = data.draw(st.sampled_from(offsets_at_characters(text)))
    position = position_at(text, offset, encoding)
    assert document(text, encoding).offset_of(position) == offset
    assert document(text, encoding).position_of(offset) == position


@given(TEXT, st.sampled_from(ENCODINGS), st.data())
def test_edits_are_those_of_plain_text(text: str, encoding: types.PositionEncodingKind, data: st.DataObject) -> None:
    edited = document(text, encoding)
    for _ in range(data.draw(st.integers(1, 4))):
        offsets = offsets_at_characters(text)
        start, end = sorted([data.draw(st.sampled_from(offsets)), data.draw(st.sampled_from(offsets))])
        inserted = data.draw(TEXT)
        edit_range = types.Range(position_at(text, start, encoding), position_at(text, end, encoding))
        edited.apply_change(types.TextDocumentContentChangePartial(edit_range, inserted))
        text = text[:start] + inserted + text[end:]
        assert edited.source == text
        assert list(edited.lines) == split_lines(text)


@pytest.mark.parametrize(
    ("line", "character", "offset"),
    [(0, 2, 2), (0, 99, 2), (1, 0, 4), (1, 99, 7), (2, 0, 7), (99, 5, 7)],
)
def test_places_outside_are_clamped(line: int, character: int, offset: int) -> None:
    assert document("ab\r\ncde").offset_of(types.Position(line, character)) == offset


def test_a_column_within_a_character_counts_as_before_it() -> None:
    assert document("\U0001f600x").offset_of(types.Position(0, 1)) == 0


def test_what_an_edit_removes_is_told_with_what_stands_before() -> None:
    buffer = document("one\ntwo\nthree\n")
    span = types.Range(types.Position(1, 1), types.Position(2, 2))
    assert buffer.removed_by(types.TextDocumentContentChangePartial(range=span, text="x")) == ("one\nt", "wo\nth")
    nothing = types.Range(span.start, span.start)
    assert buffer.removed_by(types.TextDocumentContentChangePartial(range=nothing, text="x")) is None
    assert buffer.removed_by(types.TextDocumentContentChangeWholeDocument(text="")) is None


def test_a_change_without_a_range_replaces_everything() -> None:
    changed = document("a\nb")
    changed.apply_change(types.TextDocumentContentChangeWholeDocument("new"))
    assert changed.source == "new"


def test_a_change_to_a_document_that_is_not_open_is_ignored() -> None:
    workspace = EditorWorkspace(None, [], types.PositionEncodingKind.Utf16)
    identifier = types.VersionedTextDocumentIdentifier(2, "file:///never.py")
    workspace.update_text_document(identifier, types.TextDocumentContentChangeWholeDocument("x"))
    assert workspace.open_document("file:///never.py") is None


def test_an_open_document_is_found_under_every_spelling_of_its_uri() -> None:
    workspace = EditorWorkspace(None, [], types.PositionEncodingKind.Utf16)
    workspace.put_text_document(types.TextDocumentItem("file:///c%3A/a%20b.py", "python", 1, "x"))
    assert workspace.open_document("file:///c:/a b.py") is not None


def test_the_first_folder_that_exists_is_the_root(tmp_path: Path) -> None:
    folders = [types.WorkspaceFolder(uri, "f") for uri in ("file:///not/here", "untitled:x", tmp_path.as_uri())]
    assert EditorWorkspace(None, folders, types.PositionEncodingKind.Utf16).root == tmp_path


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///c%3A/Users/me/a%23b.py", "c:/Users/me/a#b.py"),
        ("file:///C:/Users/me/a.py", "c:/Users/me/a.py"),
        ("file:///home/me/%C3%A9.py", "/home/me/\u00e9.py"),
        ("untitled:Untitled-1", None),
        ("vscode-notebook-cell:/a.ipynb#W0", None),
    ],
)
def test_paths_of_uris(uri: str, path: str | None) -> None:
    assert file_path(uri) == (None if path is None else Path(path))


def test_documents_are_named_by_the_workspace(tmp_path: Path) -> None:
    root = tmp_path / "real"
    root.mkdir()
    link = tmp_path / "link"
    link.symlink_to(root)
    assert document_name((root / "pkg" / "a.py").as_uri(), root) == "pkg/a.py"
    assert document_name((link / "a.py").as_uri(), root) == "a.py"
    assert document_name("file:///elsewhere/a.py", root) == "/elsewhere/a.py"
    assert document_name("untitled:Untitled-1", root) == "untitled:Untitled-1"


def test_halves_of_a_character_are_replaced_one_by_one() -> None:
    assert without_surrogates("a\ud83d\ude00b") == "a\ufffd\ufffdb"
    assert without_surrogates("a\U0001f600b") == "a\U0001f600b"
