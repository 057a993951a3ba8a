"""Texts that were or were to be at a place, and reading along with them."""

from __future__ import annotations

from rest_lsp.datastore.occurrence import TRAITS
from rest_lsp.drafting.deleted import DeletedText, typed_of
from rest_lsp.drafting.recent import Recent
from rest_lsp.drafting.recent_source import RecentSource
from rest_lsp.drafting.script_source import ScriptSource
from rest_lsp.drafting.traits import COMPLETED, DELETED

SCRIPT = [1, 2, 3, 4, 5, 6, 7, 8]


def test_what_was_typed_since_is_found_by_what_stands_before() -> None:
    recent = Recent("a.py", "def f():\n    ", "return 1\n")
    assert typed_of(recent, "a.py", "x\ndef f():\n    ") == ""
    assert typed_of(recent, "a.py", "x\ndef f():\n    ret") == "ret"
    assert typed_of(recent, "a.py", "x\n") is None
    assert typed_of(recent, "b.py", "x\ndef f():\n    ret") is None


def test_deletions_key_by_key_are_one_text() -> None:
    deleted = DeletedText()
    line = "value = compute(1, 2)"
    for end in range(len(line), 6, -1):
        deleted.removed("a.py", "start\n" + line[: end - 1], line[end - 1 : end])
    assert [(recent.prefix_tail, recent.text) for recent in deleted.texts()] == [("start\nvalue ", line[6:])]


def test_other_deletions_stay_apart_and_short_ones_do_not_count() -> None:
    deleted = DeletedText()
    deleted.removed("a.py", "one\n", "first block\n")
    deleted.removed("b.py", "two\n", "x")
    deleted.removed("a.py", "three\n", "second block\n")
    assert [recent.text for recent in deleted.texts()] == ["second block\n", "first block\n"]


def test_a_script_is_read_along_and_lost_and_found_again() -> None:
    source = ScriptSource("deleted", DELETED, SCRIPT, n_known=1, agreed=4)
    [start] = source.propose([0], 8).rows.occurrences()
    assert (start.length, start.tokens) == (4, tuple(SCRIPT))
    [later] = source.propose([0, 1, 2], 8).rows.occurrences()
    assert (later.length, later.tokens) == (6, (3, 4, 5, 6, 7, 8))
    assert source.propose([0, 1, 2, 9], 8).rows.occurrences() == []
    [again] = source.propose([0, 1, 2, 9, 4, 5], 8).rows.occurrences()
    assert (again.length, again.tokens) == (2, (6, 7, 8))
    assert source.propose([0, *SCRIPT], 8).rows.occurrences() == []


def test_a_script_whose_place_is_unknown_is_searched_for_what_was_written() -> None:
    source = ScriptSource("deleted", DELETED, SCRIPT, n_known=3, agreed=0)
    assert source.propose([7, 9, 9], 8).rows.occurrences() == []
    [found] = source.propose([0, 3, 4], 2).rows.occurrences()
    assert found.tokens == (5, 6, 7, 8)


def test_recent_texts_do_not_run_into_each_other() -> None:
    proposal = RecentSource([[1, 2, 3], [3, 4]]).propose([0, 3], 8)
    assert [o.tokens for o in proposal.rows.occurrences() if o.tokens] == [(4,)]
    assert set(proposal.rows.ints[:, TRAITS]) == {COMPLETED}
    assert RecentSource([]).propose([1], 8).rows.occurrences() == []
