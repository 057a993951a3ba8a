"""Whether a parent still lives, also one that has no number here."""

from __future__ import annotations

import os

import pytest

from rest_lsp.processes import is_alive, is_parent


def test_the_parent_is_known_by_its_number() -> None:
    assert is_parent(os.getppid())
    assert not is_parent(os.getpid())


def test_a_parent_outside_of_the_container_counts_as_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that an editor starts by `docker exec` has the parent 0, and must not end for that."""
    monkeypatch.setattr(os, "getppid", lambda: 0)
    assert is_parent(0)
    assert not is_alive(0)
