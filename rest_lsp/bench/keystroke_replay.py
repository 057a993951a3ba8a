"""Types real code key by key at a human cadence, takes what is exactly right, and notes what came when.

Knows neither servers nor models: whoever helps is an Assistant.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rest_lsp.bench.assistants import Assistant, Reply
from rest_lsp.bench.holes import Hole
from rest_lsp.bench.selection import Selection
from rest_lsp.bench.typist import Edit, Typist

SPREAD = 0.7
"""Of the logarithm of the gaps between keys: half of them are then shorter than 0.78 of the mean, one in twenty longer
than 2.5 of it."""
LATEST_S = 0.5
"""A machine that could not keep up is not made to catch up by more than this."""
SETTLE_S = 2.0
"""Somebody who opens a file looks before typing."""
LEAST_SAVED = 1
"""Nobody presses Tab for what one key writes."""


@dataclass
class KeyEvent:
    """One edit, and the request behind it.

    at_s            since the replay began
    is_accept       a suggestion was taken; then `n_saved` characters came by it, the key that took it not among them
    latency_ms      until the answer came; None when the next key was faster, `gap_ms` after this one
    n_shown         characters of the suggestion, `n_right` of them from its start are what is to be written
    n_word, n_line  characters of its first word and first line
    source          cache, model or rule; empty where nobody said
    is_mid_line     it was typed into a line that goes on behind it, and not into a function's body
    """

    arm: str
    project: str
    case: str
    version: int
    at_s: float
    is_accept: bool = False
    n_saved: int = 0
    latency_ms: float | None = None
    gap_ms: float = 0.0
    n_shown: int = 0
    n_right: int = 0
    n_word: int = 0
    n_line: int = 0
    is_right: bool = False
    error: str | None = None
    source: str = ""
    is_mid_line: bool = False


class Cadence:
    """Gaps between keys, log-normal, the same for the same seed."""

    def __init__(self, mean_s: float, seed: str) -> None:
        self._draw = random.Random(seed)
        self._location = math.log(mean_s) - SPREAD * SPREAD / 2 if mean_s > 0 else None

    def next_s(self) -> float:
        return 0.0 if self._location is None else self._draw.lognormvariate(self._location, SPREAD)


@dataclass(frozen=True)
class Replay:
    """What is typed, how fast, and for whom.  `on_key` is told of each event once it is complete."""

    arm: str
    assistant: Assistant
    cadence_s: float
    seed: int
    start_s: float
    on_key: Callable[[KeyEvent], None]
    is_mid_line: bool = False

    def type_project(self, selection: Selection) -> Iterator[KeyEvent]:
        """Hole after hole, each in its file as if it had not been written yet."""
        for hole in selection.holes:
            yield from self.type_hole(selection, hole)

    def type_hole(self, selection: Selection, hole: Hole) -> Iterator[KeyEvent]:
        typist = Typist(hole.text[: hole.offset], hole.text[hole.offset :], hole.truth)
        self.assistant.open(selection.workspace / hole.case.path, typist.text)
        cadence = Cadence(self.cadence_s, f"{self.seed}:{hole.case.id}")
        due_s = time.perf_counter() + (SETTLE_S if self.cadence_s else 0.0)
        event: KeyEvent | None = None
        asked_s = 0.0
        while event is not None or not typist.is_done:
            due_s = max(due_s, time.perf_counter() - LATEST_S) + cadence.next_s()
            time.sleep(max(0.0, due_s - time.perf_counter()))
            reply = None
            if event is not None:
                reply = self.assistant.reply(event.version)
                note(event, reply, typist, asked_s)
                self.on_key(event)
                yield event
                event = None
            edit, n_saved = choose(typist, reply) if not typist.is_done else (None, 0)
            if edit is None:
                continue
            typist.apply(edit)
            version = self.assistant.edit(edit)
            asked_s = self.assistant.ask(typist.cursor)
            event = KeyEvent(
                self.arm, selection.name, hole.case.id, version, asked_s - self.start_s,
                is_accept=not edit.is_key, n_saved=n_saved, is_mid_line=self.is_mid_line,
            )  # fmt: skip


def choose(typist: Typist, reply: Reply | None) -> tuple[Edit | None, int]:
    """The suggestion where it is exactly right, else the next key; and what it saves."""
    shown = reply.shown if reply is not None else None
    if shown is not None and typist.is_right(*shown[1:], shown.text):
        n_saved = len(shown.text) - (shown.end - shown.start) - 1
        if n_saved >= LEAST_SAVED:
            return typist.taken(shown.start, shown.end, shown.text), n_saved
    return typist.next_edit(), 0


def note(event: KeyEvent, reply: Reply | None, typist: Typist, asked_s: float) -> None:
    """What had come for a key when the next one is pressed."""
    event.gap_ms = 1e3 * (time.perf_counter() - asked_s)
    if reply is None or reply.is_superseded:
        return
    event.latency_ms = 1e3 * (reply.at_s - asked_s)
    event.error = reply.error
    if reply.shown is not None:
        text, start, end = reply.shown
        event.n_shown, event.n_right = len(text), typist.n_right(start, end, text)
        event.n_line = len(text.lstrip("\n").partition("\n")[0]) + len(text) - len(text.lstrip("\n"))
        event.n_word = n_first_word(text)
        event.is_right = typist.is_right(start, end, text)


def n_first_word(text: str) -> int:
    """Characters up to the end of the first word, whatever stands before it."""
    start = next((index for index, char in enumerate(text) if char.isalnum() or char == "_"), 0)
    end = start
    while end < len(text) and (text[end].isalnum() or text[end] == "_"):
        end += 1
    return max(end, 1)
