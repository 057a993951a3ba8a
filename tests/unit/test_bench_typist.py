"""Somebody who types in an editor that closes pairs and indents: the text that comes of it, and what is right."""

from __future__ import annotations

import pytest

from rest_lsp.bench.assistants import Reply, Shown
from rest_lsp.bench.keystroke_replay import Cadence, KeyEvent, choose, n_first_word, note
from rest_lsp.bench.keystroke_report import ALL, ArmFigures, KeystrokeReport, Times, summarise
from rest_lsp.bench.machine import this_machine
from rest_lsp.bench.typist import Edit, Typist

HEAD, AFTER = "def f(a):\n    ", "\n\n\nx = 1\n"
BODIES = [
    "return a",
    "if a:\n        return [a, (1, 2)]\n    return {'k': \"v\"}",
    'print("a (b", f"{a!r} it\'s", """three\n    lines""")  # don\'t',
    "call(\n        a,\n        b=[1],\n    )\n    return a",
    "for i in a:\n        x = 1\n\n    y = '\\''\n    return x[i]",
]


def type_all(typist: Typist) -> list[Edit]:
    """Every key, and a document that is edited beside must always be the typist's."""
    document, edits = typist.text, []
    while not typist.is_done:
        edit = typist.next_edit()
        if edit is not None:
            document = document[: edit.start] + edit.text + document[edit.end :]
            typist.apply(edit)
            edits.append(edit)
            assert (typist.text, typist.cursor) == (document, edit.cursor)
        assert len(edits) < 1000
    return edits


@pytest.mark.parametrize("body", BODIES)
def test_the_text_is_written_whatever_the_editor_adds(body: str) -> None:
    typist = Typist(HEAD, AFTER, body)
    type_all(typist)
    assert typist.text == HEAD + body + AFTER


def test_pairs_are_closed_and_typed_over_and_lines_are_indented() -> None:
    edits = type_all(Typist(HEAD, AFTER, "if g(a):\n        return a"))
    texts = [edit.text for edit in edits]
    assert texts[:7] == ["i", "f", " ", "g", "()", "a", ")"]
    assert edits[6].end - edits[6].start == 1, "the closer is typed over"
    assert texts[8] == "\n        "


def test_only_what_is_exactly_right_is_taken() -> None:
    typist = Typist(HEAD, AFTER, "return g(a)")
    for _ in range(len("return g(")):
        edit = typist.next_edit()
        assert edit is not None
        typist.apply(edit)
    cursor = typist.cursor
    assert typist.automatic == ")"
    assert typist.is_right(cursor, cursor + 1, "a)")
    assert typist.is_right(cursor, cursor, "a")
    assert not typist.is_right(cursor, cursor, "a)"), "a closer would be there twice"
    assert not typist.is_right(cursor, cursor, "b")
    assert typist.n_right(cursor, cursor, "ab") == 1
    taken, n_saved = choose(typist, Reply(0.0, Shown("a)", cursor, cursor + 1), is_superseded=False, error=None))
    assert taken is not None
    assert (taken.is_key, n_saved) == (True, 0), "Tab saves nothing where one key writes as much"


def test_in_the_middle_of_a_line_pairs_are_closed_where_editors_do() -> None:
    edits = type_all(Typist("f(a", ", c)\n", ", g(b)"))
    assert [edit.text for edit in edits] == [",", " ", "g", "()", "b", ")"]
    assert type_all(Typist("f(", "c)\n", "(b), "))[0].text == "(", "not before a word"


def test_code_that_stands_there_may_be_written_anew_but_not_twice_nor_too_soon() -> None:
    typist = Typist("f(a", ").g\n", ", b")
    cursor = typist.cursor
    assert typist.is_right(cursor, cursor + 1, ", b)")
    assert not typist.is_right(cursor, cursor, ", b)"), "the closer would be there twice"
    assert not typist.is_right(cursor, cursor + 1, ",)"), "something is missing before it"
    assert not typist.is_right(cursor, cursor + 1, ", b]")
    typist.apply(typist.taken(cursor, cursor + 1, ", b)"))
    assert (typist.text, typist.is_done) == ("f(a, b).g\n", True)


def test_a_long_right_suggestion_ends_the_typing() -> None:
    typist = Typist(HEAD, AFTER, "return total(a)")
    shown = Shown("return total(a)", len(HEAD), len(HEAD))
    edit, n_saved = choose(typist, Reply(0.0, shown, is_superseded=False, error=None))
    assert edit is not None
    assert (edit.is_key, n_saved) == (False, len(shown.text) - 1)
    typist.apply(edit)
    assert typist.is_done


def test_what_came_before_the_next_key_is_noted() -> None:
    typist = Typist(HEAD, AFTER, "return a")
    answered, late = (KeyEvent("ours", "p", "c", version, 0.0) for version in (1, 2))
    shown = Shown("return a\n    b", len(HEAD), len(HEAD))
    note(answered, Reply(1.5, shown, is_superseded=False, error=None), typist, 1.25)
    note(late, Reply(1.5, None, is_superseded=True, error=None), typist, 1.25)
    assert (answered.latency_ms, answered.n_right, answered.n_line, answered.n_word) == (250.0, 8, 8, 6)
    assert late.latency_ms is None
    answered.source, late.gap_ms = "model", 100.0
    summary = summarise("ours", ALL, [answered, late])
    assert summary.answered == Times(1, 250.0, 250.0, 250.0)
    assert summary.all_keys.n == 2
    assert summary.shares == {"cache": 0, "model": 0.5, "rule": 0, "superseded": 0.5, "shown": 0.5}
    assert summary.prefixes == {"whole": 0, "line": 1, "word": 1, "none": 0}


def test_the_cadence_is_the_same_for_a_seed_and_has_its_mean() -> None:
    gaps = [Cadence(0.2, "a").next_s() for _ in range(2)]
    cadence = Cadence(0.2, "a")
    drawn = [cadence.next_s() for _ in range(4000)]
    assert gaps[0] == gaps[1] == drawn[0]
    assert 0.18 < sum(drawn) / len(drawn) < 0.22
    assert Cadence(0.0, "a").next_s() == 0.0


def test_memory_grows_from_where_it_was_warm_and_work_lingers_for_passes() -> None:
    figures = ArmFigures(memory=[(500, 50), (1000, 100), (2000, 103)], model_ms={"answers": 1.0, "given_up": 3.0})
    assert figures.lingered_passes == {}
    lingered = ArmFigures(lingered={"p50": 40.0, "p99": 150.0}, pass_ms={"p50": 50.0, "p99": 100.0})
    assert lingered.lingered_passes == {"p50": 0.8, "p99": 1.5}
    assert figures.memory_growth == pytest.approx(0.03)
    assert figures.wasted_share == 0.75
    assert n_first_word("  (foo_1.bar") == len("  (foo_1")


def test_what_is_saved_is_compared_in_each_project() -> None:
    saved = {("ours", "a"): 6, ("ours", "b"): 2, ("bare", "a"): 2, ("bare", "b"): 0}
    events = [
        KeyEvent(arm, project, "c", n, 0.0, is_accept=n == 0, n_saved=count if n == 0 else 0)
        for (arm, project), count in saved.items()
        for n in range(3)
    ]
    report = KeystrokeReport("m", this_machine(), 200.0, 1, events, {"ours": ArmFigures(), "bare": ArmFigures()})
    assert report.advantages() == {"all": 4.0, "a": 3.0}, "nothing is said where the bare model saved nothing"
    assert report.to_json()["advantages"] == report.advantages()
