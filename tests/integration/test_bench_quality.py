"""`rest-lsp bench quality` with a tiny model: cases, arms, verdicts that are kept, and going on from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from rest_lsp.bench import quality_cases as cases_module
from rest_lsp.bench.cli import app
from rest_lsp.bench.quality import as_arm
from rest_lsp.bench.quality_arms import Answer, Arm
from rest_lsp.bench.quality_cases import REPOSITORY, SETS, quality_cases
from rest_lsp.bench.quality_judge import Verdict, judge
from rest_lsp.bench.quality_kept import KeptVerdicts
from rest_lsp.config import Settings
from rest_lsp.errors import RestLspError
from tests.files_bench import report_of, tiny_project
from tests.files_cli import Place
from tests.files_context import know_a_separator

MODULE = '"""Sums."""\n\n\n' + "\n\n".join(
    f"def sum_{n}(values):\n    total = 0\n    for value in values:\n        total = total + value * {n}\n"
    f"        print(total)\n    return total\n"
    for n in range(8)
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return tiny_project(tmp_path, monkeypatch, MODULE)


def run(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    kept = str(tmp_path / "kept.jsonl")
    return report_of(tmp_path, "quality", "--projects", "tiny", "--limit", "2", "--results", kept, *arguments)


@pytest.mark.usefixtures("place")
def test_every_arm_answers_every_case_and_a_cut_run_goes_on(tmp_path: Path) -> None:
    first = run(tmp_path)
    rows = {(row["set"], row["group"], row["arm"]): row for row in first["rows"]}
    assert {key[0] for key in rows} == {*SETS}
    assert {key[2] for key in rows} == {"raw", "int8", "post"}
    assert all(row["cases"] == 2 for row in rows.values())
    assert rows["single-line", None, "raw"]["pass_at_1"] is not None
    assert rows[REPOSITORY, None, "raw"]["pass_at_1"] is None
    kept = (tmp_path / "kept.jsonl").read_text(encoding="utf-8")
    # The run was killed while it wrote its last verdict.
    (tmp_path / "kept.jsonl").write_text(kept[:-30], encoding="utf-8")
    assert run(tmp_path)["rows"] != []
    again = (tmp_path / "kept.jsonl").read_text(encoding="utf-8")
    assert len(again.splitlines()) == len(kept.splitlines()) + 1, "one was asked again, beside the half line"
    assert len(run(tmp_path, "--report-only")["verdicts"]) == len(first["verdicts"]) == 18


def test_parts_of_other_files_are_arms_that_can_be_compared(
    tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    know_a_separator(monkeypatch)
    (place.workspace / "more.py").write_text(MODULE.replace("sum_", "add_"), encoding="utf-8")
    arms = "post,context:similar:300,context:definitions:300"
    report = run(tmp_path, "--sets", REPOSITORY, "--arms", arms)
    read: dict[str, int] = {}
    for verdict in report["verdicts"]:
        read[verdict["arm"]] = read.get(verdict["arm"], 0) + verdict["prompt_tokens"]
    assert [*report["arms"]] == ["post", "context:definitions:300", "context:similar:300"]
    assert read["post"] == read["context:definitions:300"] < read["context:similar:300"] <= read["post"] + 2 * 300


@pytest.mark.usefixtures("place")
def test_the_distance_of_the_anchor_is_an_arm(tmp_path: Path) -> None:
    report = run(tmp_path, "--sets", REPOSITORY, "--arms", "anchor:0,anchor:64")
    assert [*report["arms"]] == ["anchor:0", "anchor:64"]
    chosen = [as_arm(Settings(), Arm.parse(arm)).completion.anchor_lines for arm in report["arms"]]
    assert chosen == [0, 64]


@pytest.mark.usefixtures("place")
def test_token_healing_can_be_left_out_at_the_same_anchor(tmp_path: Path) -> None:
    report = run(tmp_path, "--sets", REPOSITORY, "--arms", "anchor:4,heal:off:4,heal:off")
    read = {(verdict["id"], verdict["arm"]): verdict["prompt_tokens"] for verdict in report["verdicts"]}
    ids = {verdict["id"] for verdict in report["verdicts"]}
    assert all(read[case, "heal:off:4"] == read[case, "heal:off"] >= read[case, "anchor:4"] for case in ids)
    assert any(read[case, "heal:off"] > read[case, "anchor:4"] for case in ids), "what the cursor cuts is read"


@pytest.mark.parametrize(("name", "count"), [("single-line", 1033), ("random-span", 328)])
def test_what_stood_there_is_right_and_nothing_is_not(name: str, count: int, tmp_path: Path) -> None:
    cases = quality_cases([name], "", None, tmp_path)
    assert len({case.id for case in cases}) == count
    for case in (cases[0], cases[-1]):
        verdict = judge(case, "post", Answer(case.truth, case.offset, 1, 1.0))
        assert (verdict.passed, verdict.exact, verdict.line_exact, verdict.similarity) == (True, True, True, 1.0)
        nothing = judge(case, "post", Answer("", case.offset, 1, 1.0))
        assert (nothing.exact, nothing.similarity) == (False, 0.0)


@pytest.mark.usefixtures("place")
def test_what_an_answer_replaces_it_must_write() -> None:
    case = next(iter(quality_cases([REPOSITORY], "tiny", 1, Path())))
    replaced = case.text[case.offset :].partition("\n")[0]
    verdict = judge(case, "post", Answer(case.truth + replaced, case.offset + len(replaced), 1, 1.0))
    assert verdict.exact


def test_cases_are_spread_over_the_problems(tmp_path: Path) -> None:
    groups = {case.group for case in quality_cases(["single-line"], "", 40, tmp_path)}
    assert len(groups) >= 38
    assert cases_module.USUAL_COUNT["random-span"] >= 300


def test_results_of_another_run_are_refused(tmp_path: Path) -> None:
    KeptVerdicts(tmp_path / "kept", {"model": "a"})
    with pytest.raises(RestLspError, match="model differs"):
        KeptVerdicts(tmp_path / "kept", {"model": "b"})
    verdict = Verdict(
        "a", "set", "group", "post", "x\u2028{}", 1, 1.0, None, exact=True, line_exact=True, similarity=1.0
    )
    kept = KeptVerdicts(tmp_path / "kept", {"model": "a"})
    kept.add(verdict)
    with (tmp_path / "kept").open("a", encoding="utf-8") as file:
        file.write('{"id": "b", "text": {}')
    assert KeptVerdicts(tmp_path / "kept", {"model": "a"}).rows == [verdict], "half a row is none, and a row is a line"
    (tmp_path / "other").write_text("[1]\n", encoding="utf-8")
    with pytest.raises(RestLspError, match="no results"):
        KeptVerdicts(tmp_path / "other", {})


@pytest.mark.parametrize(
    "arguments",
    [
        ["--arms", "all"],
        ["--arms", "context:all"],
        ["--arms", "raw:both"],
        ["--arms", "anchor"],
        ["--arms", "heal"],
        ["--arms", "heal:off:x"],
        ["--sets", "everything"],
    ],
)
def test_what_does_not_exist_is_told(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["quality", *arguments])
    assert isinstance(result.exception, RestLspError)
    assert "There is no" in str(result.exception)
