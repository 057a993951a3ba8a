"""Decodes token prompts straight through the decode loop, without healing, and says where the time goes.

Other programs can be given the very same tokens, which a completion service would not allow.  Knows no text.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Protocol, cast

from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.prompt import Prompt
from rest_lsp.completion.request import CompletionRequest, StopReason
from rest_lsp.drafting.drafter import Drafter
from rest_lsp.drafting.tree import EMPTY_TREE, DraftTree
from rest_lsp.engine.decode import Step, decode
from rest_lsp.engine.engine import GREEDY, Engine
from rest_lsp.engine.sampling import Sampling, picker
from rest_lsp.engine.verifier import Logits, PrefillReport, Verifier

PARTS = ("draft", "verify", "accept", "other")


class Rules(Protocol):
    """When a text is done; made for one text, and fed with its tokens one by one."""

    max_tokens: int
    token_ids: list[int]

    def feed(self, token: int) -> StopReason | None:
        """Anything but None ends the text with this token."""
        ...


@dataclass(frozen=True)
class Task:
    """One prompt for everybody; `prompt` has nothing to heal, since other programs could not."""

    id: str
    request: CompletionRequest
    prompt: Prompt
    new_rules: Callable[[], Rules]

    @property
    def ids(self) -> Sequence[int]:
        """What a model reads."""
        return self.prompt.ids


@dataclass(frozen=True)
class Decoded:
    """One text.

    tokens      up to and with the one that ended it
    decode_ms   for all of `tokens`
    forwards    passes of the model behind the prompt, None where a program does not tell
    accepted    draft tokens among `tokens`, by source
    drafted     nodes of all trees
    parts_ms    `decode_ms` by PARTS; empty where a program does not tell
    draft_ms    of each pass
    stop        the rule that ended it, where it is known
    """

    tokens: tuple[int, ...]
    decode_ms: float
    forwards: int | None
    accepted: Mapping[str, int] = field(default_factory=dict)
    drafted: int = 0
    prefill_ms: float = 0.0
    parts_ms: Mapping[str, float] = field(default_factory=dict)
    draft_ms: Sequence[float] = ()
    stop: StopReason | None = None


class TimedVerifier:
    """A verifier that adds up its time."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self.verify_ms = 0.0

    @property
    def n_lead(self) -> int:
        return self._verifier.n_lead

    @property
    def length(self) -> int:
        return self._verifier.length

    def prefill(self, tokens: Sequence[int], cancel: CancelToken) -> PrefillReport:
        return self._verifier.prefill(tokens, cancel)

    def verify(self, root: int, tree: DraftTree) -> Logits:
        start = time.perf_counter()
        logits = self._verifier.verify(root, tree)
        self.verify_ms += 1e3 * (time.perf_counter() - start)
        return logits

    def keep(self, path: Sequence[int]) -> None:
        self._verifier.keep(path)


@dataclass
class _Tally:
    """What the steps of one text add up to."""

    forwards: int = 0
    drafted: int = 0
    accepted: Counter[str] = field(default_factory=Counter)
    draft_ms: list[float] = field(default_factory=list)
    verified_ms: float = 0.0

    def take(self, step: Step, rules: Rules) -> StopReason | None:
        """Why the text is done, if it is; what a step brought beyond its end was never asked for."""
        self.forwards += 1
        self.drafted += step.drafted
        self.draft_ms.append(step.draft_ms)
        self.verified_ms += step.verify_ms
        for token, source in zip(step.tokens, step.sources, strict=True):
            if source is not None:
                self.accepted[source] += 1
            if reason := rules.feed(token):
                return reason
        return None


def decode_task(engine: Engine, task: Task, drafter: Drafter, sampling: Sampling = GREEDY) -> Decoded:
    """Continue `task` until its rules say done.  The KV cache may hold its prompt already, and holds it afterwards."""
    rules, tally, cancel = task.new_rules(), _Tally(), CancelToken()
    verifier = TimedVerifier(engine.verifier)
    known = task.ids[:-1]
    prefill_ms = verifier.prefill(known, cancel).ms
    # The first pass behind a prompt may take its last few tokens along, which belong to the prompt and not to the text.
    verifier.verify(task.ids[-1], EMPTY_TREE)
    verifier.prefill(known, cancel)
    verifier.verify_ms = 0.0
    choose = picker(sampling)
    start = time.perf_counter()
    steps = decode(
        verifier, task.ids, context=task.prompt.context_ids, drafter=drafter, pick=choose, healing=None, cancel=cancel,
        max_tokens=rules.max_tokens,
    )  # fmt: skip
    stop: StopReason | None = None
    with closing(cast("Generator[Step, None, None]", steps)):
        for step in steps:
            if stop := tally.take(step, rules):
                break
    decode_ms = 1e3 * (time.perf_counter() - start)
    verifier.prefill(known, cancel)
    draft_ms = sum(tally.draft_ms)
    parts = {"draft": draft_ms, "verify": verifier.verify_ms, "accept": tally.verified_ms - verifier.verify_ms}
    return Decoded(
        tokens=tuple(rules.token_ids),
        decode_ms=decode_ms,
        forwards=tally.forwards,
        accepted=dict(tally.accepted),
        drafted=tally.drafted,
        prefill_ms=prefill_ms,
        parts_ms={**parts, "other": decode_ms - draft_ms - tally.verified_ms},
        draft_ms=tally.draft_ms,
        stop=stop,
    )
