"""When hints become work: pure bookkeeping with made-up times."""

from __future__ import annotations

import pytest

from rest_lsp.datastore.debounce import (
    LONGEST_WAIT_S,
    QUIET_S,
    STORM_LONGEST_WAIT_S,
    STORM_PATHS,
    STORM_QUIET_S,
    Debounce,
)


def test_nothing_is_due_without_hints() -> None:
    assert Debounce().due_at() is None


def test_one_save_is_due_after_a_quiet_moment() -> None:
    debounce = Debounce()
    debounce.add("a", 10.0)
    assert debounce.due_at() == pytest.approx(10.0 + QUIET_S)
    assert debounce.take() == {"a"}
    assert debounce.due_at() is None


def test_a_file_written_all_the_time_is_not_put_off_for_ever() -> None:
    debounce = Debounce()
    for tenth in range(100):
        debounce.add("a", 10.0 + tenth / 10)
    assert debounce.due_at() == pytest.approx(10.0 + LONGEST_WAIT_S)


def test_a_storm_waits_longer() -> None:
    debounce = Debounce()
    for number in range(STORM_PATHS + 1):
        debounce.add(f"{number}", 10.0 + number / 100)
    assert debounce.is_storm
    assert debounce.due_at() == pytest.approx(10.0 + STORM_PATHS / 100 + STORM_QUIET_S)


def test_while_git_works_hints_are_held_but_not_for_ever() -> None:
    debounce = Debounce()
    debounce.add("a", 10.0)
    assert debounce.due_at(hold=True) == pytest.approx(10.0 + STORM_LONGEST_WAIT_S)
    assert debounce.due_at() == pytest.approx(10.0 + QUIET_S)
