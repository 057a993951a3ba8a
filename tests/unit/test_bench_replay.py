"""Replaying the text of holes through draft sources: what counts as a guess, and which guesses are right."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rest_lsp.bench.cases import Case
from rest_lsp.bench.holes import Hole
from rest_lsp.bench.replay import guesses, replay, replay_text
from rest_lsp.datastore.occurrence import Occurrence, Origin
from rest_lsp.positions import Position
from tests.fakes_completion import small_tokenizer

PLACE = Origin("other.py", 0)
HOLE = Hole(
    case=Case("a", "a.py", "line", Position(0, 3), Position(0, 12)),
    text="value = self.value\nvalue = se\nprint(value)\n",
    offset=len("value = self.value\nvalue = se"),
    truth="lf.value",
)


class OneFile:
    """A datastore that always finds the same place, and remembers what it was asked to leave out."""

    def __init__(self) -> None:
        self.excluded: set[str | None] = set()

    def occurrences(
        self,
        context: Sequence[int],
        *,
        depth: int,
        max_length: int = 16,
        limit: int = 64,
        exclude: str | None = None,
    ) -> list[Occurrence]:
        assert max_length > 0
        assert limit > 0
        self.excluded.add(exclude)
        return [Occurrence(min(3, len(context)), (7,) * depth, 1.0, PLACE)]


def test_a_share_is_taken_among_the_places_that_match_as_long() -> None:
    found = [
        Occurrence(5, (1, 2), 1.0, PLACE),
        Occurrence(2, (1, 3), 2.0, PLACE),
        Occurrence(2, (9,), 6.0, PLACE),
        Occurrence(1, (8, 8), 1.0, PLACE),
    ]
    rows = list(guesses("here", found, truth=[1, 3, 4]))
    assert [(row.length, row.weight, row.depth, row.hit) for row in rows] == [
        (5, 3.0, 1, True),
        (2, 6.0, 1, False),
        (1, 1.0, 1, False),
        (5, 1.0, 2, False),
        (2, 2.0, 2, True),
    ]
    assert [row.share for row in rows] == pytest.approx([1.0, 6 / 9, 1 / 10, 1.0, 2 / 3])


def test_the_token_that_the_cursor_cuts_is_part_of_the_truth() -> None:
    tokenizer = small_tokenizer()
    text = replay_text(tokenizer, HOLE)
    assert tokenizer.decode([*text.before, *text.truth]) == HOLE.text[: HOLE.offset] + HOLE.truth
    assert tokenizer.decode(text.truth).endswith("self.value")
    assert tokenizer.decode(text.after) == HOLE.text[HOLE.offset :]


def test_a_document_that_repeats_itself_is_guessed_right_and_never_read_from_the_datastore() -> None:
    datastore = OneFile()
    rows = list(replay(small_tokenizer(), [HOLE], datastore))
    assert {row.source for row in rows} == {"document", "repository"}
    assert not any(row.hit for row in rows if row.source == "repository")
    sure = [row for row in rows if row.source == "document" and row.length >= 4 and row.depth == 1]
    assert sure
    assert all(row.hit for row in sure)
    assert datastore.excluded == {"a.py"}
