"""What the server remembers of completions: numbers and places, never text."""

from __future__ import annotations

import pickle
from pathlib import Path

from rest_lsp.completion.request import CompletionResult, Outcome, SourceUse
from rest_lsp.server.explanation import explain
from rest_lsp.server.history import History

RESULT = CompletionResult(
    "password = 'hunter2'",
    3,
    3,
    Outcome.RETURNED,
    sources=(SourceUse("a.py", 7, 2),),
    token_ids=(911, 912, 913),
    forwards=2,
    accepted_by=(("document", 1),),
    prompt_tokens=40,
    reused=30,
)


def test_numbers_and_places_are_kept_and_text_is_not() -> None:
    history = History()
    history.record(Outcome.RETURNED, 12.0, RESULT, root=Path("/home/me"))
    explained = explain(history.last_shown())
    assert explained is not None
    assert (explained["tokens"], explained["forwards"], explained["accepted"], explained["wait_ms"]) == (3, 2, 1, 12.0)
    assert (explained["prompt_tokens"], explained["reused"]) == (40, 30)
    assert explained["sources"] == [{"path": "a.py", "line": 7, "tokens": 2, "uri": "file:///home/me/a.py"}]
    assert b"hunter2" not in pickle.dumps(history)


def test_every_outcome_is_counted_and_only_shown_ones_are_explained() -> None:
    history = History()
    history.record(Outcome.NO_MODEL)
    history.record(Outcome.STALE, 5.0, RESULT)
    assert history.summary()["outcomes"] == {"no_model": 1, "stale": 1}
    assert history.summary()["requests"] == 2
    assert explain(history.last_shown()) is None
