"""Runs before any test imports torch."""

from __future__ import annotations

import hypothesis

from rest_lsp.waiting import wait_politely

wait_politely()
# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")
