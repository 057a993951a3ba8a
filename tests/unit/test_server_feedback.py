"""Which progress events are shown, and how."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from rest_lsp.errors import Cancelled
from rest_lsp.server.feedback import ProgressEvent, ProgressRelay, describe


class Event(NamedTuple):
    stage: str
    done: int
    total: int


def relayed(*events: Event) -> list[ProgressEvent]:
    shown: list[ProgressEvent] = []
    relay = ProgressRelay(shown.append, lambda call: call(), lambda: False)
    for event in events:
        relay(event)
    return shown


def test_every_stage_is_shown_from_its_first_event_to_its_last() -> None:
    stages = [Event("load", 0, 1), Event("load", 1, 1), Event("measure", 0, 1), Event("measure", 1, 1)]
    assert relayed(*stages) == stages


def test_a_flood_of_events_is_thinned() -> None:
    flood = [Event("download", number, 100_000) for number in range(100_000)]
    shown = relayed(*flood, Event("download", 100_000, 100_000))
    assert shown[0] == flood[0]
    assert shown[-1].done == 100_000
    assert len(shown) < 1_000


def test_events_without_a_total_are_thinned_too() -> None:
    assert len(relayed(*[Event("list", number, 0) for number in range(10_000)])) < 1_000


def test_work_that_nobody_wants_is_stopped() -> None:
    relay = ProgressRelay(lambda _: None, lambda call: call(), lambda: True)
    with pytest.raises(Cancelled):
        relay(Event("download", 1, 2))


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Event("index", 1204, 3010), "1,204 of 3,010 files"),
        (Event("list", 0, 0), ""),
        (Event("list", 1204, 0), "1,204 files"),
        (Event("index", 5, 4), "4 of 4 files"),
        (Event("download", 2, 5), "downloading 40 %"),
        (Event("read", 0, 0), "reading"),
    ],
)
def test_events_in_words(event: Event, text: str) -> None:
    assert describe(event) == text
