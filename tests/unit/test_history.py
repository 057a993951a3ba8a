"""The record of completions: sums are what the events say, within the size, whatever happens to the file."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from statistics import fmean, quantiles

import pytest

from rest_lsp.history.completions import completion, last_completions
from rest_lsp.history.events import Event, Request, Sample, Shown, Taken
from rest_lsp.history.limits import KEPT_DETAILS
from rest_lsp.history.overview import SPANS, overview, percentile, revision
from rest_lsp.history.rollup import wait_bin
from rest_lsp.history.schema import open_to_read, used_bytes
from rest_lsp.history.writer import Appender, HistoryWriter
from tests import histories

NOW = 1_800_000_000.0
DEADLINE_S = 60.0
PLENTY = 1 << 30


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history" / "history.sqlite"


def written(path: Path, events: list[Event], *, batch: int = 64, max_bytes: int = PLENTY) -> sqlite3.Connection:
    appender = Appender(path, max_bytes)
    for start in range(0, len(events), batch):
        appender.append(events[start : start + batch])
    appender.close()
    return open_to_read(path)


@pytest.mark.parametrize("span", SPANS)
def test_sums_are_those_of_the_events(path: Path, span: str) -> None:
    step = SPANS[span].step
    last = NOW // step * step
    first = last - SPANS[span].seconds + step
    events = list(histories.history(3, 3000, first=first + 1, last=last + 1))
    found = overview(written(path, events), last + 1, SPANS[span])
    requests = [event for event in events if isinstance(event, Request)]
    asked = [request.completion for request in requests if request.completion is not None]
    totals = found["totals"]
    assert totals["requests"] == len(requests)
    assert totals["asked"] == len(asked)
    assert totals["tokens"] == sum(each.tokens for each in asked)
    assert totals["passes"] == sum(each.forwards for each in asked)
    assert totals["accepted"] == sum(each.accepted for each in asked)
    assert totals["saved_ms"] == pytest.approx(sum(each.saved_ms or 0 for each in asked))
    assert totals["from_cache"] == sum(request.from_cache for request in requests)
    assert totals["shown"] == sum(isinstance(event, Shown) for event in events)
    assert totals["characters"] == sum(event.characters for event in events if isinstance(event, Taken))
    series = found["series"]["requests"]
    assert len(series) == len(found["at"])
    by_step = [sum(at <= request.at < at + step for request in requests) for at in found["at"]]
    assert [count or 0 for count in series] == by_step
    waits = [request.wait_ms for request in requests if request.completion is not None]
    assert found["waits"]["p50"]["total"] == pytest.approx(quantiles(waits, n=2)[0], rel=0.1)


def test_files_are_ranked_by_the_tokens_that_were_accepted_from_them(path: Path) -> None:
    events = list(histories.history(4, 400, first=NOW - 3600, last=NOW))
    counts: dict[str, int] = {}
    for event in events:
        if isinstance(event, Request) and event.completion is not None:
            for each in event.completion.passes:
                for node in each.nodes:
                    counts[node.path] = counts.get(node.path, 0) + node.accepted
    sources = overview(written(path, events), NOW, SPANS["24h"])["sources"]
    assert [source["tokens"] for source in sources] == sorted(counts.values(), reverse=True)[: len(sources)]
    assert all(counts[source["path"]] == source["tokens"] for source in sources)


def test_what_was_promised_stands_beside_what_was_kept(path: Path) -> None:
    events = list(histories.history(5, 400, first=NOW - 3600, last=NOW))
    drafted = [
        node
        for event in events
        if isinstance(event, Request) and event.completion is not None
        for each in event.completion.passes
        for node in each.nodes
    ]
    promises = overview(written(path, events), NOW, SPANS["24h"])["promises"]
    assert sum(promise["n"] for promise in promises) == len(drafted)
    for promise in promises:
        inside = [node for node in drafted if int(20 * node.probability) == promise["bin"]]
        assert promise["kept"] == pytest.approx(sum(node.accepted for node in inside) / len(inside))


def test_the_cost_of_passes_is_averaged_by_model_and_size(path: Path) -> None:
    made = [histories.completion(random.Random(number), most_nodes=3) for number in range(20)]
    made += [replace(each, model="other") for each in made[:5]]
    asked = [Request(NOW - 60, "/a", "a.py", "returned", 5.0, completion=each) for each in made]
    taken: dict[tuple[str, int], list[float]] = {}
    for completed in made:
        for each in completed.passes:
            taken.setdefault((completed.model, each.rows), []).append(each.verify_ms)
    costs = overview(written(path, [*asked]), NOW, SPANS["24h"])["costs"]
    assert [(cost["model"], cost["rows"], cost["n"]) for cost in costs] == [
        (*key, len(taken[key])) for key in sorted(taken)
    ]
    assert [cost["ms"] for cost in costs] == pytest.approx([fmean(taken[key]) for key in sorted(taken)])


def test_a_workspace_is_looked_at_alone(path: Path) -> None:
    events: list[Event] = [
        Request(NOW, "/a", "a.py", "returned", 5.0, completion=histories.completion(random.Random(1))),
        Request(NOW, "/b", "b.py", "empty", 5.0, completion=histories.completion(random.Random(2))),
    ]
    connection = written(path, events)
    both = overview(connection, NOW, SPANS["1h"])
    number = {each["root"]: each["id"] for each in both["workspaces"]}
    alone = overview(connection, NOW, SPANS["1h"], number["/b"])
    assert (both["totals"]["requests"], alone["totals"]["requests"]) == (2, 1)
    assert [each["path"] for each in last_completions(connection, number["/b"])] == ["b.py"]


def test_the_trees_of_a_completion_are_kept_as_they_were(path: Path) -> None:
    made = histories.completion(random.Random(7), most_nodes=64, with_text=True)
    connection = written(path, [Request(NOW, "/a", "a.py", "returned", 5.0, completion=made)])
    [listed] = last_completions(connection)
    found = completion(connection, listed["id"])
    assert found is not None
    assert found["passes"] == made.to_json()["passes"]
    assert completion(connection, listed["id"] + 1) is None


def test_what_was_taken_is_seen_at_the_completion_also_when_it_was_counted_twice(path: Path) -> None:
    made = histories.completion(random.Random(7))
    asked = Request(NOW, "/a", "a.py", "returned", 5.0, suggestion="s1", completion=made)
    again = Request(NOW, "/a", "a.py", "returned", 1.0, from_cache=True, suggestion="s1")
    taken = [Taken(NOW, "/a", "s1", 12), Taken(NOW, "/a", "s1", 12, -1), Taken(NOW, "/a", "s1", 30)]
    connection = written(path, [asked, again, *taken], batch=2)
    assert [each["taken"] for each in last_completions(connection)] == [30]
    assert overview(connection, NOW, SPANS["1h"])["totals"]["characters"] == 30


@pytest.mark.parametrize("percent", [50, 95, 99])
def test_percentiles_are_right_to_the_width_of_a_bin(percent: int) -> None:
    draw = random.Random(percent)
    waits = sorted(draw.lognormvariate(5, 1) for _ in range(5000))
    bins: dict[int, int] = {}
    for wait in waits:
        bins[wait_bin(wait)] = bins.get(wait_bin(wait), 0) + 1
    found = percentile(sorted(bins.items()), percent)
    assert found == pytest.approx(waits[len(waits) * percent // 100], rel=0.1)


def test_the_record_stays_within_its_size_and_sums_outlive_single_requests(path: Path) -> None:
    limit = 1 << 20
    events = list(histories.history(6, 12_000, first=NOW - 3600, last=NOW))
    connection = written(path, events, batch=256, max_bytes=limit)
    assert used_bytes(connection) <= limit
    asked = sum(isinstance(event, Request) for event in events)
    assert overview(connection, NOW, SPANS["24h"])["totals"]["requests"] == asked
    assert 0 < connection.execute("SELECT count(*) FROM requests").fetchone()[0] < asked
    assert len(last_completions(connection, limit=10_000)) <= KEPT_DETAILS + 512


def test_a_damaged_record_is_set_aside(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database" * 400)
    connection = written(path, [Shown(NOW, "/a")])
    assert overview(connection, NOW, SPANS["1h"])["totals"]["shown"] == 1
    assert path.with_suffix(".damaged").read_bytes().startswith(b"this is no database")


def test_a_record_of_another_version_is_set_aside(path: Path) -> None:
    written(path, [Shown(NOW, "/a")]).close()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()
    assert overview(written(path, [Shown(NOW, "/b")]), NOW, SPANS["1h"])["totals"]["shown"] == 1


def test_several_writers_lose_nothing(path: Path) -> None:
    n_writers, n_each = 4, 200
    writers = [HistoryWriter(path, PLENTY) for _ in range(n_writers)]

    def put(writer: HistoryWriter, number: int) -> None:
        for _ in range(n_each):
            writer.put(lambda: Shown(NOW, f"/{number}"))

    threads = [threading.Thread(target=put, args=(writer, number)) for number, writer in enumerate(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    closed = [writer.close(DEADLINE_S) for writer in writers]
    assert all(closed)
    connection = open_to_read(path)
    assert overview(connection, NOW, SPANS["1h"])["totals"]["shown"] == n_writers * n_each
    assert revision(connection) >= n_writers


def test_what_cannot_be_told_is_left_out_and_the_rest_is_written(path: Path) -> None:
    def broken() -> Event:
        raise ValueError

    writer = HistoryWriter(path, PLENTY)
    writer.put(broken)
    writer.put(lambda: None)
    writer.put(lambda: Shown(NOW, "/a"))
    assert writer.close(DEADLINE_S)
    assert overview(open_to_read(path), NOW, SPANS["1h"])["totals"]["shown"] == 1


def test_a_place_that_cannot_be_written_costs_one_message(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "history").write_text("a file where a folder should be")
    writer = HistoryWriter(tmp_path / "history" / "history.sqlite", PLENTY)
    for _ in range(3):
        writer.put(lambda: Shown(NOW, "/a"))
    assert writer.close(DEADLINE_S)
    assert [record.message.count("history.enabled") for record in caplog.records] == [1]


def test_a_process_says_what_it_is(path: Path) -> None:
    samples: list[Event] = [
        Sample(NOW - 30, "/a", 100, 10, 1, {"model": "old"}),
        Sample(NOW, "/a", 300, 10, 1, {"model": "new"}),
    ]
    found = overview(written(path, samples), NOW, SPANS["1h"])
    assert [session["state"]["model"] for session in found["sessions"]] == ["new"]
    assert max(value or 0 for value in found["memory"]["memory"]) in (200, 300)


def from_another_process(path: Path, sample: Sample) -> None:
    """By one that has our number, as in a container, where every process may be given the same."""
    code = (
        f"import os; os.getpid = lambda: {os.getpid()}\n"
        "from pathlib import Path; from rest_lsp.history.events import Sample\n"
        "from rest_lsp.history.writer import Appender\n"
        f"appender = Appender(Path({str(path)!r}), {PLENTY}); appender.append([{sample!r}]); appender.close()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_the_windows_of_a_process_share_is_counted_once(path: Path) -> None:
    for window in (
        Sample(NOW, "/a", 300, 50, 7, {"model": "small"}),
        Sample(NOW + 1, "/b", 300, 50, 9, {"model": "small"}),
        Sample(NOW + 2, "/b", 300, 20, 9, {"model": "large"}),
    ):
        written(path, [window]).close()
    from_another_process(path, Sample(NOW + 3, "/a", 100, 50, 7, {"model": "small"}))
    found = overview(open_to_read(path), NOW + 3, SPANS["1h"])["memory"]
    assert {name: values[-1] for name, values in found.items()} == {"memory": 400, "kv": 120, "store": 16}


def test_processes_that_follow_one_another_are_not_added_up(path: Path) -> None:
    step = SPANS["30d"].step
    written(path, [Sample(NOW // step * step, "/a", 300, 50, 7)]).close()
    from_another_process(path, Sample(NOW // step * step + step / 2, "/a", 100, 50, 7))
    found = overview(open_to_read(path), NOW, SPANS["30d"])["memory"]
    assert {name: values[-1] for name, values in found.items()} == {"memory": 200, "kv": 50, "store": 7}
