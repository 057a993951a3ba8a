"""Runs before any test imports torch."""

from __future__ import annotations

from rest_lsp.waiting import wait_politely

wait_politely()
