"""`rest-lsp bench keystrokes` from end to end: a real server with a tiny model, typed into; and a recording of it."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from rest_lsp.bench.assistants import BareAssistant
from rest_lsp.bench.recorded import LONGEST_PAUSE_S, read_recording
from rest_lsp.bench.typist import Edit
from rest_lsp.cancellation import CancelToken
from rest_lsp.errors import RestLspError
from tests.e2e.lsp_client import LspClient
from tests.files_bench import report_of, tiny_project
from tests.files_cli import SOURCE, Place
from tests.waiting import wait_until

BODY = "    total = 0\n    for value in values:\n        total = total + value * {number}\n    return [total, (1, 2)]\n"
CALL = "NAME = find(environment, default_name, x)"
MODULE = f'"""Sums."""\n\n{CALL}\n\n' + "\n\n".join(f"def sum_{n}(values):\n" + BODY.format(number=n) for n in range(8))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return tiny_project(tmp_path, monkeypatch, MODULE)


def measure(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    return report_of(tmp_path, "keystrokes", *arguments)


@pytest.mark.usefixtures("place")
def test_every_key_is_sent_and_what_became_of_it_is_known(tmp_path: Path) -> None:
    report = measure(tmp_path, "--projects", "tiny", "--limit", "1", "--cadence", "5")
    by_arm = {summary["arm"]: summary for summary in report["summaries"] if summary["group"] == "all"}
    assert by_arm.keys() == {"ours", "bare"}
    ours = [event for event in report["events"] if event["arm"] == "ours" and not event["is_mid_line"]]
    assert by_arm["ours"]["errors"] == 0
    assert len(ours) == by_arm["ours"]["keys"] > 60
    assert all(event["latency_ms"] is not None or event["gap_ms"] > 0 for event in ours)
    assert {event["source"] for event in ours} <= {"cache", "model", "rule"}
    assert report["arms"]["ours"]["storm"]["requests"] == 500
    assert report["arms"]["ours"]["storm"]["errors"] == 0
    assert report["arms"]["ours"]["memory"]
    assert 0 < report["arms"]["ours"]["pass_ms"]["p50"] <= report["arms"]["ours"]["pass_ms"]["p99"]
    within = [summary for summary in report["summaries"] if summary["group"] == "mid-line"]
    assert {summary["arm"] for summary in within} == {"ours", "bare"}
    assert all(summary["keys"] == len(", default_name") and summary["errors"] == 0 for summary in within)


@pytest.mark.usefixtures("place")
def test_it_ends_with_as_many_keys_as_are_wanted_and_none_within_lines(tmp_path: Path) -> None:
    report = measure(tmp_path, "--projects", "tiny", "--limit", "1", "--cadence", "5", "--arms", "ours", "--keys", "9")
    assert [event["is_mid_line"] for event in report["events"]] == [False] * 9


def test_a_session_is_recorded_for_its_owner_alone_and_can_be_sent_again(place: Place, tmp_path: Path) -> None:
    kept, file = tmp_path / "session.jsonl", place.workspace / "app.py"
    with LspClient(server=("-m", "rest_lsp", "record", str(kept)), **place.environment) as client:
        client.initialize(place.workspace)
        client.wait_for_state("ready")
        client.open(file.as_uri(), SOURCE)
        client.open((place.workspace / ".env").as_uri(), "KEY=1\n", language="")
        client.complete(file.as_uri(), 5, 11)
        client.complete(file.as_uri(), 5, 11)
        assert client.shut_down() == 0
    if os.name == "posix":
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    rows = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]
    assert [row["from_cache"] for row in rows if "outcome" in row] == [False, True]
    assert "KEY=1" not in kept.read_text(encoding="utf-8")
    report = measure(tmp_path, "--recording", str(kept))
    assert len(report["events"]) == 2
    assert report["events"][-1]["source"] in ("model", "cache")
    assert report["events"][-1]["latency_ms"] is not None
    assert report["summaries"][0]["errors"] == 0


def test_a_recording_is_never_overwritten(place: Place, tmp_path: Path) -> None:
    kept = tmp_path / "session.jsonl"
    kept.write_text("mine", encoding="utf-8")
    with LspClient(server=("-m", "rest_lsp", "record", str(kept)), **place.environment) as client:
        assert client.process.wait(60) == 1
        assert "is there already" in client.stderr.decode()
    assert kept.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("text", ["", "{}\n", '{"rest_lsp_recording": 1}\n', "no json}\n"])
def test_what_is_no_recording_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text, encoding="utf-8")
    with pytest.raises(RestLspError, match="recording"):
        read_recording(tmp_path / "file")


def test_long_pauses_are_not_waited_for(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"rest_lsp_recording": 1}, {"at": 0.0, "message": {"method": "initialize"}}]
    rows += [{"at": 0.5, "message": {"method": "a"}}, {"at": 900.0, "message": {"method": "b"}}]
    (tmp_path / "file").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert [sent.pause_s for sent in read_recording(tmp_path / "file")] == [0.0, 0.5, LONGEST_PAUSE_S]


def test_the_bare_model_is_asked_behind_a_pause_and_the_newest_wins(tmp_path: Path) -> None:
    asked: list[str] = []

    def write(text: str, cursor: int, cancel: CancelToken) -> str:
        asked.append(text)
        while text == "ab":
            cancel.raise_if_cancelled()
        return f"{cursor}"

    assistant = BareAssistant(write, pause_s=0.0)
    assistant.open(tmp_path / "a.py", "a")
    first = assistant.edit(Edit(1, 1, "b", 2))
    assistant.ask(2)
    wait_until(lambda: asked, "the model is asked")
    second = assistant.edit(Edit(2, 2, "c", 3))
    assistant.ask(3)
    wait_until(lambda: assistant.reply(second), "the second request is answered")
    assistant.close()
    reply = assistant.reply(second)
    assert reply is not None
    assert reply.shown is not None
    assert reply.shown.text == "3"
    assert assistant.reply(first) is None
    assert asked == ["ab", "abc"]
