"""Texts that were or were to be at a place, and reading along with them."""

from __future__ import annotations

from rest_lsp.datastore.occurrence import TRAITS
from rest_lsp.drafting.deleted import DeletedText
from rest_lsp.drafting.recent import MAX_CHARACTERS, Recent, RecentCompletions
from rest_lsp.drafting.recent_source import RecentSource
from rest_lsp.drafting.script_source import ScriptSource
from rest_lsp.drafting.traits import COMPLETED, DELETED

SCRIPT = [1, 2, 3, 4, 5, 6, 7, 8]


def test_what_was_typed_since_is_found_by_what_stands_before() -> None:
    recent = Recent("a.py", "def f():\n    ", "return 1\n")
    assert recent.typed("a.py", "x\ndef f():\n    ") == ""
    assert recent.typed("a.py", "x\ndef f():\n    ret") == "ret"
    assert recent.typed("a.py", "x\n") is None
    assert recent.typed("b.py", "x\ndef f():\n    ret") is None


def test_at_the_beginning_of_a_document_all_of_it_was_typed() -> None:
    assert Recent("a.py", "", "import os\n").typed("a.py", "imp") == "imp"
    assert Recent("a.py", "", "import os\n").typed("a.py", "import os\n\n\n") is None


def test_a_completion_that_is_broken_off_with_every_key_is_one_text() -> None:
    recent = RecentCompletions()
    recent.add("a.py", "def g():\n    ", "pass\n")
    recent.add("a.py", "def f():\n    ", "retu")
    recent.add("a.py", "def f():\n    r", "eturn va")
    recent.add("a.py", "def f():\n    re", "turn")
    assert [*recent.texts()] == [
        Recent("a.py", "def f():\n    ", "return va"),
        Recent("a.py", "def g():\n    ", "pass\n"),
    ]


def test_another_text_at_the_same_place_or_the_same_elsewhere_stays_apart() -> None:
    recent = RecentCompletions()
    recent.add("a.py", "def f():\n    ", "return")
    recent.add("a.py", "def f():\n    ", "yield")
    recent.add("b.py", "def f():\n    ", "yield from")
    recent.add("a.py", "def f():\n    re", "lease()")
    assert [text.text for text in recent.texts()] == ["lease()", "yield from", "yield", "return"]


def test_a_text_does_not_grow_for_ever() -> None:
    recent = RecentCompletions()
    text = "x" * MAX_CHARACTERS
    recent.add("a.py", "start\n", text)
    recent.add("a.py", "start\n" + text, "more")
    assert [text.text for text in recent.texts()] == ["more", text]


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
