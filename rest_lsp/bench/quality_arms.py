"""Who answers in `bench quality`: the model by itself, and the completion service.  Knows no judge."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, get_args

from rest_lsp.bench.decode import Complete
from rest_lsp.bench.quality_cases import QualityCase
from rest_lsp.config import ContextKinds
from rest_lsp.errors import RestLspError

RAW, INT8, POST, CONTEXT, ANCHOR, HEAL = "raw", "int8", "post", "context", "anchor", "heal"
ARMS = {
    RAW: "the model in fp32 by itself, prompt split at the cursor, up to HumanEval's stop words (a line: to its end)",
    INT8: "ours: int8, anchored and healed prompt, stop rules",
    POST: "ours with post-processing",
    CONTEXT: "the same with parts of other files before the prompt",
    ANCHOR: "ours with post-processing, the prompt split so many lines above the cursor at least; 0 splits it there",
    HEAL: "the same without token healing: what the cursor cuts in two stays as it is",
}
USUAL_ARMS = (RAW, INT8, POST)
CONTEXT_TOKENS = 512


@dataclass(frozen=True)
class Arm:
    """A name in ARMS; of some there are variants: "context:similar:256", "anchor:8", and "heal:off", also "heal:off:8"
    for that anchor."""

    name: str
    kinds: ContextKinds = "both"
    tokens: int = 0
    lines: int | None = None
    heals: bool = True

    @classmethod
    def parse(cls, text: str) -> Arm:
        """Raises RestLspError."""
        name, *parts = text.strip().split(":")
        read = {CONTEXT: _with_context, ANCHOR: _anchored, HEAL: _unhealed}.get(name)
        if read is not None:
            return read(text, parts)
        if name not in ARMS or parts:
            raise RestLspError(f"There is no arm {text!r}.", f"Choose among {', '.join(ARMS)} with --arms.")
        return cls(name)

    @property
    def is_variant(self) -> bool:
        """Whether it is ours with other options."""
        return self.name in (CONTEXT, ANCHOR, HEAL)


def _with_context(text: str, parts: Sequence[str]) -> Arm:
    if len(parts) <= 2:
        kinds, tokens = [*parts, *("both", str(CONTEXT_TOKENS))[len(parts) :]]
        for known in get_args(ContextKinds):
            if kinds == known and tokens.isdecimal():
                return Arm(CONTEXT, known, int(tokens))
    raise RestLspError(
        f"There is no arm {text!r}.",
        f"Name it {CONTEXT}:KINDS:TOKENS, KINDS among {', '.join(get_args(ContextKinds))}.",
    )


def _anchored(text: str, parts: Sequence[str]) -> Arm:
    if len(parts) != 1 or not parts[0].isdecimal():
        raise RestLspError(f"There is no arm {text!r}.", f"Name it {ANCHOR}:LINES.")
    return Arm(ANCHOR, lines=int(parts[0]))


def _unhealed(text: str, parts: Sequence[str]) -> Arm:
    switch, *lines = parts or ("",)
    if switch != "off" or len(lines) > 1 or not all(map(str.isdecimal, lines)):
        raise RestLspError(f"There is no arm {text!r}.", f"Name it {HEAL}:off or {HEAL}:off:LINES.")
    return Arm(HEAL, lines=int(lines[0]) if lines else None, heals=False)


class Answer(NamedTuple):
    """`text` in place of the document from the cursor up to `end`."""

    text: str
    end: int
    tokens: int
    ms: float
    prompt_tokens: int = 0


@dataclass(frozen=True)
class Ours:
    """The completion service, once for each mode of lines; what it shows and what it would show without its rules."""

    by_mode: dict[str, Complete]

    def answers(self, case: QualityCase) -> dict[str, Answer]:
        """Those of INT8 and POST, from one completion.  Raises RestLspError when there was none."""
        start = time.perf_counter()
        result = self.by_mode[case.mode](case.request)
        ms = 1e3 * (time.perf_counter() - start)
        if not result.token_ids:
            raise RestLspError(f"Case {case.id} was not completed: {result.outcome.value}.", "Leave its set out.")
        n_read = result.prompt_tokens
        return {
            INT8: Answer(result.written, case.offset, result.tokens, ms, n_read),
            POST: Answer(result.text, result.end, result.tokens, ms, n_read),
        }
