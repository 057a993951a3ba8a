"""Waiting for the next key: only where it will probably come in time."""

from __future__ import annotations

import pytest

from rest_lsp.completion.rhythm import LONGEST_S, Rhythm


def typed(*gaps_ms: float) -> tuple[Rhythm, float]:
    rhythm, now = Rhythm(), 10.0
    rhythm.key(now)
    for gap in gaps_ms:
        now += gap / 1000
        rhythm.key(now)
    return rhythm, now


@pytest.mark.parametrize(
    ("gaps_ms", "shortest_ms", "longest_ms"),
    [
        ((), 0, 0),
        ((40, 40), 0, 0),
        ((40,) * 10, 40, 50),
        ((60,) * 10, 60, 75),
        ((72,) * 10, 75, 75),
        ((200,) * 10, 0, 0),
        ((30, 200) * 6, 30, 40),
        ((200, 200, 30) * 6, 0, 0),
        ((40,) * 5 + (5000,) * 20 + (40,) * 5, 40, 50),
    ],
)
def test_the_wait_follows_the_typist(gaps_ms: tuple[float, ...], shortest_ms: float, longest_ms: float) -> None:
    rhythm, now = typed(*gaps_ms)
    assert shortest_ms - 0.01 <= 1000 * rhythm.wait_s(now) <= longest_ms + 0.01
    assert rhythm.wait_s(now + 2 * LONGEST_S) == 0, "what the editor has waited for already counts"


def test_a_typist_who_slows_down_is_waited_for_no_longer() -> None:
    rhythm, now = typed(*(40,) * 16)
    assert rhythm.wait_s(now) > 0
    for _ in range(9):
        now += 0.2
        rhythm.key(now)
    assert rhythm.wait_s(now) == 0
