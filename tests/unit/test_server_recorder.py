"""What the server writes down: what the engine did, and no code unless it was asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rest_lsp.completion.request import CompletionResult, Outcome
from rest_lsp.completion.trace import Trace, TracedPass
from rest_lsp.config import Settings
from rest_lsp.datastore.occurrence import Origin
from rest_lsp.drafting.cost_model import StepCost
from rest_lsp.drafting.source import NOWHERE
from rest_lsp.drafting.tree import ROOT, DraftTree
from rest_lsp.history.completions import completion, last_completions
from rest_lsp.history.overview import SPANS, overview
from rest_lsp.history.schema import open_to_read
from rest_lsp.server.acceptance import Acceptance
from rest_lsp.server.backend import Session
from rest_lsp.server.history import History
from rest_lsp.server.recorded import completion_of
from rest_lsp.server.recorder import Recorder
from tests.fakes_completion import ScriptedStep
from tests.histories import everything_in

DEADLINE_S = 60.0
SECRET = "hunter2"
TREE = DraftTree(
    tokens=(11, 12, 13),
    parents=(ROOT, 0, ROOT),
    depths=(1, 2, 1),
    path_probability=(0.5, 0.25, 0.125),
    places=(Origin("a.py", 30), Origin("a.py", 30), NOWHERE),
    sources=("document", "document", "successors"),
)
STEP = ScriptedStep(
    [11, 99],
    [Origin("a.py", 30), None],
    ["document", None],
    [-0.5, -0.5],
    tree=TREE,
    path=(0,),
    n_rows=4,
    verify_ms=50.0,
)
STATE: dict[str, Any] = {"model": "small", "kv_bytes": 5, "step_cost": {"64": [[1, 10.0], [4, 20.0], [8, 40.0]]}}


def result_with(text_of: Callable[[int], str] | None = None) -> CompletionResult:
    return CompletionResult(
        SECRET,
        3,
        3,
        Outcome.RETURNED,
        token_ids=(11, 99),
        forwards=1,
        drafted=3,
        accepted_by=(("document", 1),),
        prompt_tokens=100,
        reused=40,
        spans={"draft": 1.0, "verify": 50.0},
        trace=Trace((TracedPass(STEP, 2),), lambda origin: origin.offset // 10, text_of),
    )


def session() -> Session:
    return cast(Session, SimpleNamespace(status=lambda: STATE, datastore=None))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.model_validate({"model": {"cache_dir": tmp_path}})


def recorded(settings: Settings, *results: CompletionResult) -> Path:
    recorder = Recorder(session)
    recorder.configure(settings, Path("/home/me/project"))
    history = History(recorder)
    for result in results:
        history.record(Outcome.RETURNED, 12.0, result, suggestion="s1", path="b.py")
    recorder.close(DEADLINE_S)
    return settings.history_file


def test_the_tree_is_recorded_as_it_was_verified(settings: Settings) -> None:
    connection = open_to_read(recorded(settings, result_with()))
    [listed] = last_completions(connection)
    found = completion(connection, listed["id"])
    assert found is not None
    [each] = found["passes"]
    assert (each["rows"], each["tokens"], each["verify_ms"]) == (4, 2, 50.0)
    assert [node["parent"] for node in each["nodes"]] == list(TREE.parents)
    assert [node["depth"] for node in each["nodes"]] == list(TREE.depths)
    assert [node["probability"] for node in each["nodes"]] == list(TREE.path_probability)
    assert [node["accepted"] for node in each["nodes"]] == [True, False, False]
    assert [(node["path"], node["line"]) for node in each["nodes"]] == [("a.py", 3), ("a.py", 3), ("", None)]
    assert [node["source"] for node in each["nodes"]] == list(TREE.sources)
    assert (found["path"], found["root"], found["model"]) == ("b.py", "/home/me/project", "small")


def test_no_code_is_written_down(settings: Settings) -> None:
    text = everything_in(recorded(settings, result_with()))
    assert SECRET not in text
    assert '\\"text\\": null' in text


def test_the_text_of_drafted_tokens_is_where_it_was_asked_for(settings: Settings) -> None:
    text = everything_in(recorded(settings, result_with(lambda token: f"<{token}>")))
    assert "<12>" in text
    assert SECRET not in text


def test_nothing_is_written_when_it_is_switched_off(tmp_path: Path) -> None:
    settings = Settings.model_validate({"model": {"cache_dir": tmp_path}, "history": {"enabled": False}})
    assert not recorded(settings, result_with()).exists()


def test_switching_off_and_on_takes_effect_at_once(settings: Settings) -> None:
    off = settings.model_copy(update={"history": settings.history.model_copy(update={"enabled": False})})
    recorder = Recorder(session)
    recorder.configure(settings, None)
    recorder.shown(1)
    recorder.close(DEADLINE_S)
    recorder.configure(off, None)
    recorder.shown(1)
    recorder.configure(settings, None)
    recorder.shown(1)
    recorder.close(DEADLINE_S)
    found = overview(open_to_read(settings.history_file), _now(settings), SPANS["24h"])
    assert found["totals"]["shown"] == 2


def test_corrected_counts_of_suggestions_end_up_right(settings: Settings) -> None:
    recorder = Recorder(session)
    recorder.configure(settings, None)
    acceptance = Acceptance(recorder.shown, recorder.taken)
    first, second = acceptance.offer(9), acceptance.offer(5)
    acceptance.infer(first, "word", 4)
    acceptance.report(first, "line", 4)
    acceptance.report_shown(second)
    recorder.close(DEADLINE_S)
    found = overview(open_to_read(settings.history_file), _now(settings), SPANS["24h"])["totals"]
    assert (found["shown"], found["taken"], found["characters"]) == (1, 1, 4)


def test_what_was_saved_is_told_at_the_pace_of_the_passes_themselves() -> None:
    cost = StepCost({64: [(1, 10.0), (4, 20.0), (8, 40.0)]})
    found = completion_of(result_with(), "small", cost)
    assert found is not None
    # A pass of 4 rows took 50 ms where 20 were measured: at that pace two plain passes take 2 * 10 * 2.5 ms.
    assert found.saved_ms == pytest.approx(50.0 - 51.0)


def test_an_answer_from_the_cache_costs_nothing(settings: Settings) -> None:
    recorder = Recorder(session)
    recorder.configure(settings, None)
    History(recorder).record(Outcome.RETURNED, 1.0, result_with(), suggestion="s1", from_cache=True)
    recorder.close(DEADLINE_S)
    totals = overview(open_to_read(settings.history_file), _now(settings), SPANS["24h"])["totals"]
    assert (totals["from_cache"], totals["asked"], totals["tokens"]) == (1, 0, 0)


def _now(settings: Settings) -> float:
    """When the newest event was."""
    start = open_to_read(settings.history_file).execute("SELECT max(start) FROM buckets").fetchone()[0]
    return float(start)
