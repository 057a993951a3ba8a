"""A front's copy of a document is the server's, whatever is typed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from rest_lsp.daemon.buffer import Buffer
from rest_lsp.server.documents import Document
from rest_lsp.server.positions import LinePositionCodec

PIECES = st.sampled_from(["a", "é", "漢", "🙂", "\n", "\r", "\r\n", " ", "\x0c", "\u2028"])
TEXT = st.lists(PIECES, max_size=12).map("".join)
PLACE = st.fixed_dictionaries({"line": st.integers(0, 6), "character": st.integers(0, 9)})
CHANGE = st.one_of(
    st.fixed_dictionaries({"text": TEXT}),
    st.fixed_dictionaries({"text": TEXT, "range": st.fixed_dictionaries({"start": PLACE, "end": PLACE})}),
)


def of_server(change: dict[str, Any]) -> types.TextDocumentContentChangeEvent:
    if "range" not in change:
        return types.TextDocumentContentChangeWholeDocument(change["text"])
    start, end = (types.Position(**change["range"][name]) for name in ("start", "end"))
    return types.TextDocumentContentChangePartial(types.Range(start, end), change["text"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
@given(text=TEXT, changes=st.lists(CHANGE, max_size=5))
def test_any_edits_give_the_server_text(encoding: str, text: str, changes: list[dict[str, Any]]) -> None:
    codec = LinePositionCodec(types.PositionEncodingKind(encoding))
    document = Document("untitled:a", text, version=1, language="python", codec=codec)
    buffer = Buffer({"uri": "untitled:a", "languageId": "python", "version": 1, "text": text})
    for change in changes:
        document.apply_change(of_server(change))
    buffer.change(2, changes, encoding)
    assert buffer.item() == {"uri": "untitled:a", "languageId": "python", "version": 2, "text": document.source}
