"""Replaying what a model wrote through draft sources: what counts as a guess, and which guesses are right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rest_lsp.bench.calibrate import n_healed, typed_on
from rest_lsp.bench.cases import Case
from rest_lsp.bench.fit import fit_logistic, log_loss, reliability, sigmoid
from rest_lsp.bench.holes import Hole
from rest_lsp.bench.replay import guesses, replay
from rest_lsp.drafting.document_source import DocumentSource
from rest_lsp.drafting.source import Occurrence, Origin, Proposal, rows_of
from rest_lsp.drafting.successors import SuccessorTable
from rest_lsp.drafting.traits import BEFORE, OTHER, SUCCESSOR
from rest_lsp.positions import Position
from tests.fakes_completion import small_tokenizer

PLACE = Origin("other.py", 0)


def test_a_share_is_taken_among_the_places_that_match_as_long() -> None:
    found = [
        Occurrence(5, (1, 2), 1.0, PLACE),
        Occurrence(2, (1, 3), 2.0, PLACE),
        Occurrence(2, (9,), 6.0, PLACE),
        Occurrence(1, (8, 8), 1.0, PLACE),
    ]
    rows = list(guesses([Proposal("here", rows_of(found, BEFORE))], 0, truth=[1, 3, 4]))
    assert [(row.evidence.length, row.evidence.gap, row.depth, row.hit) for row in rows] == [
        (5, 0, 0, True),
        (2, 3, 0, False),
        (1, 4, 0, False),
        (6, 0, 1, False),
        (3, 3, 1, True),
    ]
    assert [row.evidence.share for row in rows] == pytest.approx([1.0, 6 / 9, 1 / 10, 1.0, 2 / 3])


def test_successors_are_guesses_too() -> None:
    known = SuccessorTable()
    known.remember(7, [1, 5])
    rows = list(guesses([], 7, truth=[1, 2], successors=known.rows))
    assert [(row.evidence.length, row.evidence.traits, row.hit) for row in rows] == [
        (0, SUCCESSOR, True),
        (0, OTHER, False),
    ]


def test_a_document_that_repeats_itself_is_guessed_right() -> None:
    text = [3, 1, 4, 1, 5, 9, 2, 6] * 3
    source = DocumentSource("a.py", text, [], n_known=len(text))
    sure = [row for row in replay([source], text, text[:6]) if row.evidence.gap == 0 and row.evidence.length >= 8]
    assert sure
    assert all(row.hit for row in sure)


def test_what_was_typed_is_no_guess_but_is_learnt_from() -> None:
    text, written = [3, 1, 4], [1, 5, 1]
    known = SuccessorTable()
    rows = list(replay([], text, written, known, begin=2))
    assert [(row.evidence.traits, row.hit) for row in rows] == []
    assert known.rows[4 + 1, 0] == 1
    assert known.rows[1 + 1, 0] == 5
    assert [row.hit for row in replay([], text, [1, 5, 1, 5], SuccessorTable(), begin=3)] == [True]


def test_the_first_word_is_typed_before_the_cursor_goes_on() -> None:
    case = Case("body:a.py:1:0", "a.py", "body", Position(1, 4), Position(1, 12))
    hole = Hole(case, "def f():\n    \nx\n", 13, "return 1")
    request = typed_on(hole)
    assert (request.text, request.offset) == ("def f():\n    return\nx\n", 19)
    nothing = typed_on(replace(hole, truth=""))
    assert (nothing.text, nothing.offset) == (hole.text, hole.offset)


def test_tokens_that_spell_what_was_typed_are_counted() -> None:
    tokenizer = small_tokenizer()
    tokens = tokenizer.encode("return value")
    assert n_healed(tokens, b"", tokenizer) == 0
    first = len(tokenizer.token_bytes(tokens[0]))
    assert n_healed(tokens, b"x" * first, tokenizer) == 1
    assert n_healed(tokens, b"x" * (first + 1), tokenizer) == 2
    assert n_healed(tokens, b"x" * 99, tokenizer) == len(tokens)


def test_a_fit_finds_the_weights_that_made_the_data() -> None:
    draw = np.random.default_rng(0)
    rows = np.column_stack([np.ones(20000), draw.normal(size=(20000, 2))])
    true = np.array([-1.0, 2.0, 0.5])
    hits = (draw.random(20000) < sigmoid(rows @ true)).astype(float)
    found = fit_logistic(rows, hits, np.zeros(3))
    assert found == pytest.approx(true, abs=0.1)
    assert log_loss(sigmoid(rows @ found), hits) < log_loss(sigmoid(rows @ (true + 0.3)), hits)
    bins = reliability(sigmoid(rows @ found), hits, [0.2, 0.4, 0.6, 0.8])
    assert sum(one.n for one in bins) == 20000
    assert [one.kept for one in bins] == pytest.approx([one.promised for one in bins], abs=0.03)


def test_weights_without_rows_stay_where_they_began() -> None:
    rows = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert fit_logistic(rows, np.array([0.0, 1.0]), np.array([0.0, 1.5]))[1] == pytest.approx(1.5)
