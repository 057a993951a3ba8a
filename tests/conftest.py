"""Runs before any test imports torch, in every process that runs tests."""

from __future__ import annotations

import os
import signal

import hypothesis

from rest_lsp.waiting import wait_politely

wait_politely()
# Libraries of the environment that the tests run in are none of the workspaces' that they make.
os.environ.pop("VIRTUAL_ENV", None)
# A shell that starts the tests in the background has them ignore interrupts, and so would all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")
