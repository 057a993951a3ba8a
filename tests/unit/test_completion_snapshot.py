"""The window of a document that a completion looks at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_lsp.completion.request import CompletionRequest
from rest_lsp.completion.snapshot import LONG_LINE_STEP, take_snapshot
from rest_lsp.errors import RequestError
from tests.fakes_completion import snapshot_at


def test_lines_around_the_cursor() -> None:
    snapshot = snapshot_at("a\nb(█)\n\n  c \n")
    assert (snapshot.line, snapshot.line_before, snapshot.line_after) == (1, "b(", ")")
    assert snapshot.next_line == "  c"
    assert not snapshot.is_blank_line


def test_an_empty_document() -> None:
    snapshot = snapshot_at("█")
    assert (snapshot.before, snapshot.after, snapshot.line, snapshot.line_end) == ("", "", 0, "\n")
    assert snapshot.next_line is None
    assert snapshot.is_blank_line


@pytest.mark.parametrize("offset", [-1, 4])
def test_a_cursor_outside_the_text_is_an_error(offset: int) -> None:
    with pytest.raises(RequestError, match="3 characters"):
        take_snapshot(CompletionRequest("abc", offset), reach=10)


@pytest.mark.parametrize("start", [-1, 3])
def test_a_selection_outside_the_text_is_an_error(start: int) -> None:
    with pytest.raises(RequestError):
        take_snapshot(CompletionRequest("abc", 2, selected_text="x", selected_start=start), reach=10)


def test_windows_line_ends_are_hidden_and_remembered() -> None:
    snapshot = snapshot_at("a\r\nb█\r\nc\r\n")
    assert (snapshot.before, snapshot.after, snapshot.line, snapshot.line_end) == ("a\nb", "\nc\n", 1, "\r\n")


def test_the_line_end_is_that_of_the_nearest_line() -> None:
    assert snapshot_at("a\r\nb\nc█").line_end == "\n"
    assert snapshot_at("a█\r\nb\n").line_end == "\r\n"
    assert snapshot_at("\n█").line_end == "\n"


def test_a_cursor_between_cr_and_lf_stands_before_them() -> None:
    snapshot = take_snapshot(CompletionRequest("ab\r\nc", 3), reach=10)
    assert (snapshot.before, snapshot.after, snapshot.start, snapshot.cursor) == ("ab", "\nc", 2, 2)


def test_a_menu_selection_is_read_as_if_it_were_accepted() -> None:
    snapshot = take_snapshot(CompletionRequest("x.ap + 1", 4, selected_text="append", selected_start=2), reach=10)
    assert (snapshot.before, snapshot.after) == ("x.append", " + 1")
    assert (snapshot.start, snapshot.cursor) == (2, 4)


def test_a_large_document_is_seen_through_a_window_of_whole_lines() -> None:
    text = "".join(f"line {number}\n" for number in range(200_000))
    offset = text.index("line 100000\n")
    snapshot = take_snapshot(CompletionRequest(text, offset), reach=100)
    assert snapshot.line == 100_000
    assert len(snapshot.before) <= 100
    assert len(snapshot.after) == 100
    assert snapshot.before.startswith("line 999")


def test_a_window_within_one_long_line_does_not_move_with_every_key() -> None:
    text = "x" * 500_000
    starts = {
        offset - len(take_snapshot(CompletionRequest(text, offset), 5000).before) for offset in range(250_000, 250_200)
    }
    assert len(starts) <= 2
    assert all(start % LONG_LINE_STEP == 0 for start in starts)


@given(text=st.text(alphabet="a \r\n", max_size=30), data=st.data(), reach=st.integers(1, 40))
def test_the_window_is_the_text_around_the_cursor(text: str, data: st.DataObject, reach: int) -> None:
    offset = data.draw(st.integers(0, len(text)))
    snapshot = take_snapshot(CompletionRequest(text, offset), reach)
    before, after = text[: snapshot.cursor].replace("\r\n", "\n"), text[snapshot.cursor :].replace("\r\n", "\n")
    assert before.endswith(snapshot.before)
    assert snapshot.line == before.count("\n")
    assert "\r\n" in text[snapshot.cursor : snapshot.cursor + reach + 1] or after.startswith(snapshot.after)
