"""Runs before any test imports torch."""

from __future__ import annotations

import os

import hypothesis

from rest_lsp.waiting import wait_politely

wait_politely()
# Libraries of the environment that the tests run in are none of the workspaces' that they make.
os.environ.pop("VIRTUAL_ENV", None)
# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")
