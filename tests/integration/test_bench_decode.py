"""`rest-lsp bench decode` from end to end: a tiny model with random weights, a tiny workspace, a real index."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from rest_lsp.bench import decode as decode_module
from rest_lsp.bench import demo, selection
from rest_lsp.bench.ablation import LARGE, Variant, ablate, ablation_json, print_ablation, settings_of
from rest_lsp.bench.calibrate import fit, guesses_of, judge, write_weights
from rest_lsp.bench.case_maker import make_cases
from rest_lsp.bench.cases import CaseError, write_cases
from rest_lsp.bench.cli import app
from rest_lsp.bench.corpus import Distribution
from rest_lsp.bench.decode import measure
from rest_lsp.bench.holes import cut_hole
from rest_lsp.bench.reliability import print_reliability, write_reliability
from rest_lsp.bench.results import Run, SourceLine
from rest_lsp.bench.selection import Selection
from rest_lsp.bench.setup import bench_settings, drafted, open_setup
from rest_lsp.bench.through import typed_through
from rest_lsp.completion.request import CompletionRequest, CompletionResult, Outcome
from rest_lsp.datastore.libraries import STANDARD
from rest_lsp.drafting.confidence import FEATURES, Confidence
from rest_lsp.drafting.traits import COMPLETED
from rest_lsp.engine.choice import choose_form
from rest_lsp.errors import ModelError, RestLspError
from rest_lsp.models.convert import convert
from tests.engines import SIZES
from tests.fakes_models import RandomSource, byte_level_description, tiny_config
from tests.files_context import know_a_separator

MODULE = '''"""Module {number}."""

import math


class Shape{number}:
    """One of several that look alike."""

    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height

    def area(self) -> float:
        """Square metres."""
        if self.width < 0 or self.height < 0:
            raise ValueError("a shape has no negative sides")
        area = self.width * self.height
        return area * {number}

    def diagonal(self) -> float:
        total = 0.0
        for side in (self.width, self.height):
            total += side * side
            print("side", side, "total", total)
        return math.sqrt(total)
'''


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Writes ASCII only, so that what it wrote is read as the same tokens again."""
    source = RandomSource(tiny_config(**{**SIZES, "max_context": 2048}))
    for name, tensor in source.tensors.items():
        if tensor.ndim == 2:
            source.tensors[name] = tensor * (3.0 / tensor.shape[1] ** 0.5)
    vocabulary = byte_level_description()["model"]["vocab"]
    garbled = [token for piece, token in vocabulary.items() if not piece.strip("ĠĊ").isascii()]
    source.tensors["head.weight"][garbled] = 0.0
    folder = tmp_path_factory.mktemp("model") / "tiny" / "fp32"
    convert(source, folder, form=choose_form("fp32"), name="tiny")
    return folder


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workspace")
    for number in range(3):
        (folder / f"shape_{number}.py").write_text(MODULE.replace("{number}", str(number)), encoding="utf-8")
    return folder


def flags(model: Path, cache: Path) -> list[str]:
    return [
        "--model", str(model), "--model-cache-dir", str(cache), "--device", "cpu", "--device-dtype", "fp32",
        "--device-threads", "2",
    ]  # fmt: skip


def overrides(model: Path, cache: Path) -> dict[str, object]:
    given = flags(model, cache)
    names = {"--model": "model.name", "--device": "device.name"}
    pairs = zip(given[::2], given[1::2], strict=True)
    return {names.get(flag, flag[2:].replace("-", ".", 1).replace("-", "_")): value for flag, value in pairs}


@pytest.fixture(scope="module")
def report(model: Path, workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("out")
    command = ["decode", "--workspace", str(workspace), "--per-kind", "2", "--repeat", "2", "--nodes", "6"]
    command += ["--json", str(out / "report.json"), "--plot", str(out / "plot.png"), *flags(model, out / "cache")]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert (out / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert "the same with and without drafts" in result.output
    found: dict[str, Any] = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return found


def test_no_token_differs_and_drafts_were_verified(report: dict[str, Any]) -> None:
    assert report["summary"]["identical"]
    assert report["summary"]["mismatches"] == 0
    assert report["mismatches"] == []
    rest = [row for row in report["cases"] if row["mode"] == "rest"]
    assert sum(row["drafted"] for row in rest) > 0
    assert sum(row["accepted"] for row in rest) > 0
    assert all(row["drafted"] == 0 for row in report["cases"] if row["mode"] == "plain")


def test_plain_decoding_has_one_forward_pass_per_token_and_drafts_save_some(report: dict[str, Any]) -> None:
    plain = {row["id"]: row for row in report["cases"] if row["mode"] == "plain"}
    rest = {row["id"]: row for row in report["cases"] if row["mode"] == "rest"}
    assert plain.keys() == rest.keys()
    assert len(plain) == 6
    for case, row in plain.items():
        assert row["forwards"] == row["tokens"] == rest[case]["tokens"]
        assert rest[case]["forwards"] <= row["forwards"]
        assert row["prefill_ms"] > 0
        assert row["decode_ms"] > 0


def test_the_report_says_what_ran_where(report: dict[str, Any]) -> None:
    assert (report["device"], report["dtype"], report["threads"], report["nodes"]) == ("cpu", "fp32", 2, 6)
    assert report["model"]
    assert report["machine"]["cpu"]
    assert report["memory_floor_ms"] > 0
    assert [point["nodes"] for point in report["cost_curve"]][:3] == [0, 1, 2]
    assert {row["kind"] for row in report["cases"]} == {"line", "block", "body"}
    assert "6 holes in" in report["workload"]


def test_cases_come_from_a_file_and_the_cost_model_may_choose(model: Path, workspace: Path, tmp_path: Path) -> None:
    cases = make_cases(workspace, seed=5, per_kind=2, kinds=["line"])
    write_cases(tmp_path / "cases.jsonl", cases)
    command = ["decode", "--workspace", str(workspace), "--cases", str(tmp_path / "cases.jsonl"), "--limit", "1"]
    command += ["--json", str(tmp_path / "report.json"), *flags(model, tmp_path / "cache")]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert [row["id"] for row in found["cases"]] == [cases[0].id, cases[0].id]
    assert found["nodes"] is None


@pytest.mark.parametrize(
    ("options", "words"), [(["--kinds", "lines"], "no kind 'lines'"), (["--cases", "none.jsonl"], "cannot be read")]
)
def test_bad_options_are_refused_before_a_model_is_loaded(workspace: Path, options: list[str], words: str) -> None:
    with pytest.raises(CaseError, match=words):
        CliRunner().invoke(
            app,
            ["decode", "--workspace", str(workspace), "--model", "no-such-model", *options],
            catch_exceptions=False,
        )


def test_a_draft_that_changes_the_output_is_found_and_fails_the_command(
    model: Path, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoiled(*arguments: Any, **options: Any) -> Any:
        for pair in measure(*arguments, **options):
            tokens = (*pair.rest.tokens[:-1], pair.rest.tokens[-1] + 1)
            yield replace(pair, rest=replace(pair.rest, tokens=tokens))

    monkeypatch.setattr("rest_lsp.bench.session.measure", spoiled)
    command = ["decode", "--workspace", str(workspace), "--limit", "1", *flags(model, tmp_path / "cache")]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 1
    assert "differs from token" in result.output


def test_each_source_and_idea_is_switched_off_alone(
    model: Path, workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = bench_settings(workspace, overrides(model, tmp_path / "cache"), nodes=None)
    hole = cut_hole(workspace, make_cases(workspace, seed=1, per_kind=1, kinds=["body"])[0])
    with open_setup(workspace, settings) as setup:
        [found] = ablate(setup, settings, [hole], warm=False)
        real = drafted(setup.model, setup.datastore, settings_of(settings, Variant("", LARGE)))(hole.request)
    assert found[Variant("", LARGE)].rest.forwards == real.forwards, "a replay takes the passes that the model takes"
    assert dict(found[Variant("", LARGE)].rest.accepted) == dict(real.accepted_by)
    assert {pair.plain.tokens for pair in found.values()} == {pair.rest.tokens for pair in found.values()}
    every, without_document = (found[Variant(name, LARGE)].rest for name in ("", "document"))
    assert "document" in every.accepted or every.drafted > without_document.drafted
    assert "document" not in without_document.accepted
    results = {variant: [pair] for variant, pair in found.items()}
    rows = ablation_json(results)
    assert {(row["without"], row["nodes"]) for row in rows} >= {(None, 64), ("document", None), ("cool-down", 64)}
    print_ablation(Console(width=120), results)
    shown = capsys.readouterr().out
    for name in ("affinity of files", "text after the cursor", "libraries", "typed through"):
        assert f"without {name}" in shown


def test_keys_that_type_what_was_suggested_are_drafted_from_it(
    model: Path, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a text without a grammar, where all is shown that a random model writes."""
    monkeypatch.setattr("rest_lsp.bench.through.LEAST_LEFT", 0)
    monkeypatch.setattr("rest_lsp.bench.through.KEYS", 4)
    settings = bench_settings(workspace, overrides(model, tmp_path / "cache"), nodes=64)
    cut = [cut_hole(workspace, case) for case in make_cases(workspace, seed=1, per_kind=4, kinds=["body"])]
    holes = [replace(hole, case=replace(hole.case, path="notes.txt")) for hole in cut]
    with open_setup(workspace, settings) as setup:
        keys = [key for of_hole in typed_through(setup, settings, holes) for key in of_hole]
    assert keys
    assert all(key.agrees for key in keys)
    assert sum(key.tokens for key in keys) > 2 * sum(key.forwards for key in keys), "what is known takes few passes"
    assert all(0 < key.read < 64 for key in keys), "the rest of the prompt is in the KV cache"


def test_confidence_is_fitted_to_what_the_model_writes(
    model: Path, workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = bench_settings(workspace, overrides(model, tmp_path / "cache"), nodes=8)
    holes = [cut_hole(workspace, case) for case in make_cases(workspace, seed=1, per_kind=2)]
    with open_setup(workspace, settings) as setup:
        found = list(guesses_of(setup, settings, Selection(workspace, holes, "shapes", 1)))
    assert any(guess.hit for guess in found)
    assert not all(guess.hit for guess in found)
    old = Confidence.prior()
    fitted = Confidence(dict(zip(FEATURES, fit(found, old).tolist(), strict=True)))
    tested = [judge("old", old, found), judge("new", fitted, found)]
    assert tested[1].log_loss < tested[0].log_loss
    assert any(guess.evidence.traits & COMPLETED for guess in found), "what came before is known, as in a session"
    assert fitted.weights["completed"] != old.weights["completed"]
    assert fitted.weights["deleted"] == pytest.approx(old.weights["deleted"], abs=1e-3), "nobody deletes anything"
    print_reliability(Console(width=100), tested)
    assert "new: held-out log-loss" in capsys.readouterr().out
    write_reliability(tmp_path / "plot.png", tested)
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    write_weights(tmp_path / "prior.json", fitted, tested[1], len(found))
    written = json.loads((tmp_path / "prior.json").read_text(encoding="utf-8"))
    assert set(written["weights"]) == set(FEATURES)
    assert not set(written["fitted_to"]) & set(written["tested_on"])


def test_every_completion_begins_with_nothing_remembered(model: Path, workspace: Path, tmp_path: Path) -> None:
    settings = bench_settings(workspace, overrides(model, tmp_path / "cache"), nodes=8)
    hole = cut_hole(workspace, make_cases(workspace, seed=1, per_kind=1, kinds=["body"])[0])
    with open_setup(workspace, settings) as setup:
        first, second = (setup.complete["rest"](hole.request) for _ in range(2))
    assert first.token_ids == second.token_ids
    assert (first.forwards, first.drafted, first.accepted_by) == (second.forwards, second.drafted, second.accepted_by)
    assert first.reused == second.reused == 0


def test_drafts_change_no_token_behind_parts_of_other_files(
    model: Path, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    know_a_separator(monkeypatch)
    settings = bench_settings(workspace, overrides(model, tmp_path / "cache"), nodes=8)
    completion = settings.completion.model_copy(update={"context_tokens": 400})
    holes = [cut_hole(workspace, case) for case in make_cases(workspace, seed=1, per_kind=2)]
    with open_setup(workspace, settings) as alone:
        without = [alone.complete["plain"](hole.request) for hole in holes]
    with open_setup(workspace, settings.model_copy(update={"completion": completion})) as setup:
        plain = [setup.complete["plain"](hole.request) for hole in holes]
        rest = [setup.complete["rest"](hole.request) for hole in holes]
    assert [result.token_ids for result in rest] == [result.token_ids for result in plain]
    assert sum(result.drafted for result in rest) > 0
    added = [with_.prompt_tokens - alone_.prompt_tokens for with_, alone_ in zip(plain, without, strict=True)]
    assert all(0 < tokens <= 400 for tokens in added)


def test_the_saved_copy_of_the_file_with_the_hole_gives_no_drafts(model: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    text = MODULE.replace("{number}", "7")
    (workspace / "shape.py").write_text(text, encoding="utf-8")
    hole = cut_hole(workspace, make_cases(workspace, seed=1, per_kind=1, kinds=["body"])[0])

    def drafted(**sources: bool) -> int:
        chosen: dict[str, object] = {f"drafting.{name}": is_used for name, is_used in sources.items()}
        settings = bench_settings(workspace, {**overrides(model, tmp_path / "cache"), **chosen}, nodes=8)
        with open_setup(workspace, settings) as setup:
            return setup.complete["rest"](hole.request).drafted

    from_nothing = drafted(use_document=False, use_datastore=False)
    assert drafted(use_document=False) == from_nothing
    (workspace / "copy.py").write_text(text, encoding="utf-8")
    assert drafted(use_document=False) > from_nothing


def test_the_demonstration_shows_each_completion_and_the_table(
    model: Path, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "repository", lambda: workspace)
    monkeypatch.setenv("REST_LSP_MODEL", str(model))
    monkeypatch.setenv("REST_LSP_MODEL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("REST_LSP_DEVICE", "cpu")
    monkeypatch.setenv("REST_LSP_DEVICE_DTYPE", "fp32")
    assert demo.run_demo(Console())
    shown = capsys.readouterr().out
    n_shown = shown.count("equal  ")
    assert n_shown >= 8
    assert shown.count("drafts from ") == n_shown + 1, "one line each, and one that tells what is indexed"
    assert shown.count(" per pass") == n_shown
    assert "the same with and without drafts" in shown
    monkeypatch.setenv("REST_LSP_MODEL", "no-such-model")
    with pytest.raises(ModelError, match="no-such-model"):
        demo.run_demo(Console())


def test_an_excerpt_and_its_provenance_in_words() -> None:
    run = Run((1, 2), "", 1, {"document": 1}, 1, 1.0, 1.0, 0.0, "end", sources=[SourceLine("a.py", 3, 1)])
    assert demo.provenance(run) == "a.py:4 (1 token)"
    assert demo.provenance(replace(run, sources=[SourceLine("a.py", None, 2)] * 5)).endswith(" and 2 more places")
    assert "cut off" in demo.provenance(replace(run, sources=()))
    assert "every token itself" in demo.provenance(replace(run, sources=(), accepted={}))
    assert demo.excerpt("x = [", "1]\n2\n3\n4") == "[dim]x = [[/dim][cyan]1]\n2\n3[/cyan]\n[dim]… 1 more line[/dim]"
    assert "nothing to insert" in demo.excerpt("x", "")


def test_modes_take_turns_and_a_request_that_fails_names_its_case(workspace: Path) -> None:
    order: list[str] = []

    def complete(mode: str, outcome: Outcome = Outcome.RETURNED) -> decode_module.Complete:
        def run(request: CompletionRequest) -> CompletionResult:
            order.append(mode)
            return CompletionResult("", request.offset, request.offset, outcome, token_ids=(1,), forwards=1)

        return run

    holes = [cut_hole(workspace, case) for case in make_cases(workspace, seed=1, per_kind=2, kinds=["block"])]
    pairs = list(measure(holes, {"plain": complete("plain"), "rest": complete("rest")}, repeat=2))
    assert len(pairs) == 2
    assert order == ["plain", "rest", "rest", "plain", "rest", "plain", "plain", "rest"]
    with pytest.raises(RestLspError, match="was not completed: unsupported"):
        list(measure(holes, {"plain": complete("plain", Outcome.UNSUPPORTED), "rest": complete("rest")}))


def test_several_projects_are_measured_with_one_model_and_told_apart(
    model: Path, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = {name: Distribution(name, "1", "0" * 64) for name in ("here", "there")}
    monkeypatch.setattr(selection, "PROJECTS", pinned)
    monkeypatch.setattr(selection, "fetch", lambda _project, _cache_dir: workspace)
    command = ["decode", "--projects", "all", "--per-kind", "1", "--json", str(tmp_path / "report.json")]
    result = CliRunner().invoke(app, [*command, *flags(model, tmp_path / "cache")], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "By project" in result.output
    found = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert [row["project"] for row in found["cases"]] == ["here 1"] * 6 + ["there 1"] * 6
    assert {name: row["cases"] for name, row in found["summary"]["projects"].items()} == {"here 1": 3, "there 1": 3}
    assert found["summary"]["cases"] == 6


def test_history_is_kept_when_asked_for(
    model: Path, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same holes twice: with history, the second time is drafted from the first.

    In a text without a grammar, where all is shown, and so remembered, that a random model writes; without what knows
    its loops as well.
    """
    for other in ("SUCCESSORS", "DOCUMENT"):
        monkeypatch.setenv(f"REST_LSP_DRAFTING_USE_{other}", "false")
    found = make_cases(workspace, seed=5, per_kind=3, kinds=["body"])
    notes = tmp_path / "workspace"
    notes.mkdir()
    for case in found:
        (notes / case.path).with_suffix(".txt").write_bytes((workspace / case.path).read_bytes())
    cases = [replace(case, path=case.path.replace(".py", ".txt")) for case in found]
    write_cases(tmp_path / "cases.jsonl", [*cases, *(replace(case, id=f"{case.id} again") for case in cases)])
    command = ["decode", "--workspace", str(notes), "--cases", str(tmp_path / "cases.jsonl"), "--nodes", "16"]
    forwards, accepted = {}, {}
    for history in ([], ["--warm"]):
        out = ["--json", str(tmp_path / "report.json"), *flags(model, tmp_path / "cache")]
        result = CliRunner().invoke(app, [*command, *history, *out], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
        assert report["warm"] == bool(history)
        forwards[report["warm"]] = [row["forwards"] for row in report["cases"] if row["mode"] == "rest"]
        accepted[report["warm"]] = report["summary"]["modes"]["rest"]["accepted_by_source"]
    assert forwards[False][: len(cases)] == forwards[False][len(cases) :]
    assert sum(forwards[True][len(cases) :]) < sum(forwards[False][len(cases) :])
    of_history = {"typed through", "completions"}
    assert of_history & accepted[True].keys()
    assert not of_history & accepted[False].keys()


def test_libraries_are_drafted_from_when_asked_for(
    model: Path, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REST_LSP_DATASTORE_PYTHON", str(write_python(tmp_path) / "bin" / "python"))
    command = ["decode", "--workspace", str(workspace), "--limit", "1", "--nodes", "6", "--kinds", "body"]
    for asked in ([], ["--libraries"], []):
        out = ["--json", str(tmp_path / "report.json"), *flags(model, tmp_path / "cache")]
        result = CliRunner().invoke(app, [*command, *asked, *out], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["libraries"] == bool(asked)
        assert ("libraries indexed" in " ".join(result.output.split())) == bool(asked)
    settings = bench_settings(workspace, overrides(model, tmp_path / "cache"), nodes=6, libraries=True)
    with open_setup(workspace, settings) as setup:
        assert [tier.name for tier in setup.datastore.tiers] == [STANDARD]
    monkeypatch.delenv("REST_LSP_DATASTORE_PYTHON")
    assert bench_settings(workspace, {}, nodes=None, libraries=True).datastore.python == Path(sys.executable)


def write_python(folder: Path) -> Path:
    """A Python without packages, and with a standard library of one module."""
    (folder / "python" / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    (folder / "python" / "lib" / "python3.11" / "os.py").write_text("standard_os = 1\n", encoding="utf-8")
    return folder / "python"


@pytest.mark.parametrize(
    ("given", "words"),
    [(["--projects", "nowhere"], "no project"), (["--projects", "all", "--workspace", "."], "neither")],
)
def test_projects_that_cannot_be_are_told(given: list[str], words: str) -> None:
    result = CliRunner().invoke(app, ["decode", *given])
    assert isinstance(result.exception, CaseError)
    assert words in str(result.exception)
