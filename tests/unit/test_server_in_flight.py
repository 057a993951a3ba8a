"""When a completion that is being written goes on, and for whom."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from rest_lsp.completion.request import CompletionRequest, CompletionResult, Outcome, Trigger
from rest_lsp.errors import Cancelled
from rest_lsp.server import in_flight
from rest_lsp.server.in_flight import InFlight, Written

BEFORE, AFTER = "x = ", "\ny\n"
REQUEST = CompletionRequest(BEFORE + AFTER, len(BEFORE), path="a.py", language="python", trigger=Trigger.AUTOMATIC)
RESULTS = [CompletionResult("hello world", len(BEFORE), len(BEFORE), Outcome.RETURNED)]


def typed(text: str, behind: str = "", **changes: object) -> CompletionRequest:
    """The request when `text` has been typed, and the editor has put `behind` there."""
    changed = replace(REQUEST, text=BEFORE + text + behind + AFTER, offset=len(BEFORE + text))
    return replace(changed, **changes)  # type: ignore[arg-type]


async def turns(n: int = 6) -> None:
    """Whatever is due in the loop happens."""
    for _ in range(n):
        await asyncio.sleep(0)


def begun(text: str | None = None) -> tuple[InFlight, asyncio.Future[Written | None]]:
    """A flight whose job has written "hello world"; the document has become `text`."""
    flight = InFlight(REQUEST, lambda: text)
    job: asyncio.Future[Written | None] = asyncio.get_running_loop().create_future()
    flight.begin(job)
    flight.wrote("hello world")
    return flight, job


@pytest.mark.parametrize(
    ("request_", "leads"),
    [
        (REQUEST, True),
        (typed("he"), True),
        (typed("hello world"), False),
        (typed("hex"), False),
        (typed("he", trigger=Trigger.INVOKED), False),
        (typed("he", path="b.py"), False),
        (typed("he", selected_text="he"), False),
    ],
)
def test_what_it_leads_to(request_: CompletionRequest, leads: bool) -> None:
    async def run() -> None:
        flight, job = begun()
        assert flight.leads_to(request_) is leads
        job.cancel()
        assert not flight.leads_to(request_), "nobody works on it"

    asyncio.run(run())


def test_closers_of_the_editor_and_its_line_ends_are_no_difference() -> None:
    async def run() -> None:
        flight, _ = begun()
        flight.wrote("f(1)\n    2")
        assert flight.leads_to(typed("f(", ")"))
        windows = replace(REQUEST, text=REQUEST.text.replace("\n", "\r\n"))
        flight = InFlight(windows, lambda: None)
        flight.begin(asyncio.get_running_loop().create_future())
        flight.wrote("f(\n    1")
        text = BEFORE + "f(\r\n " + "\r\ny\r\n"
        assert flight.leads_to(replace(windows, text=text, offset=len(BEFORE + "f(\r\n ")))

    asyncio.run(run())


def test_the_last_who_joins_gets_what_the_job_returns() -> None:
    async def run() -> None:
        flight, job = begun()
        first, second = flight.join(), flight.join()
        job.set_result(RESULTS)
        assert await second == RESULTS
        with pytest.raises(Cancelled):
            await first

    asyncio.run(run())


@pytest.mark.parametrize(
    ("text", "patience_s", "goes_on"),
    [
        (BEFORE + "he" + AFTER, 60.0, True),
        (BEFORE + "he" + AFTER, 0.0, False),
        (BEFORE + "x" + AFTER, 60.0, False),
        (BEFORE + AFTER, 60.0, False),
        (None, 60.0, False),
    ],
)
def test_work_of_a_cancelled_request_goes_on_for_a_moment_where_the_key_agrees(
    text: str | None, patience_s: float, goes_on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_flight, "GRACE_S", 0.0)
    monkeypatch.setattr(in_flight, "PATIENCE_S", patience_s)

    async def run() -> None:
        flight, job = begun(text)
        flight.join().cancel()
        await turns()
        assert job.cancelled() is not goes_on
        if goes_on:
            follower = flight.join()
            job.set_result(RESULTS)
            assert await follower == RESULTS

    asyncio.run(run())
