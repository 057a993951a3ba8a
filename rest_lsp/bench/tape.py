"""An engine that says again what it said: the passes of many drafters over one output are counted without the model.

The logits behind the same tokens are the same, however they are verified, so what a model wrote once says of every
draft how much of it is accepted.  What a pass takes is read from the measured costs.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from itertools import islice

import torch
from torch import Tensor

from rest_lsp.cancellation import CancelToken
from rest_lsp.drafting.cost_model import StepCost
from rest_lsp.drafting.drafter import Drafter, Verdict
from rest_lsp.drafting.tree import DraftTree
from rest_lsp.engine.decode import Step, decode
from rest_lsp.engine.engine import GREEDY, Engine
from rest_lsp.engine.sampling import Sampling, picker
from rest_lsp.engine.verifier import Logits, PrefillReport, Verifier
from rest_lsp.healing import Healing

BEYOND = 12
"""Tokens that are recorded behind the end: the last draft may reach past it."""

Rows = dict[int, Tensor]
"""Logits [vocab_size] by the number of tokens in front of them, less one."""


class TapedEngine(Engine):
    """Asks `engine` when a prompt is new, and remembers its logits until the next one."""

    def __init__(self, engine: Engine, cost: StepCost) -> None:
        super().__init__(engine.verifier, engine.info)
        self._cost = cost
        self._prompt: tuple[int, ...] = ()
        self._rows: Rows = {}

    def generate(
        self,
        prompt: Sequence[int],
        *,
        context: Sequence[int],
        drafter: Drafter,
        sampling: Sampling = GREEDY,
        healing: Healing | None = None,
        cancel: CancelToken,
        max_tokens: int,
        n_chances: int = 0,
    ) -> Generator[Step, None, None]:
        """As an engine does, with the times of the costs.  A new prompt is for plain decoding only."""
        is_new = tuple(prompt) != self._prompt
        if is_new:
            self._prompt, self._rows = tuple(prompt), {}
        verifier: Verifier = _Recording(self.verifier, self._rows) if is_new else _Tape(self._rows)
        self.last_prefill = verifier.prefill(prompt[:-1], cancel)
        past = len(prompt) - 1
        steps = decode(
            verifier, prompt, context=context, drafter=_Clocked(drafter, self._cost), pick=picker(sampling),
            healing=healing, cancel=cancel, max_tokens=max_tokens + BEYOND, n_chances=n_chances,
        )  # fmt: skip
        try:
            for step in steps:
                yield replace(step, verify_ms=self._cost.ms(step.n_rows, past))
                past += len(step.tokens)
        finally:
            if is_new:
                for _ in islice(steps, BEYOND):
                    pass


class _Recording:
    """A verifier that keeps the row behind each root; only the empty tree is verified."""

    def __init__(self, verifier: Verifier, rows: Rows) -> None:
        self._verifier, self._rows = verifier, rows
        self.length, self.n_lead = 0, 0

    def prefill(self, tokens: Sequence[int], cancel: CancelToken) -> PrefillReport:
        report = self._verifier.prefill(tokens, cancel)
        self.length, self.n_lead = len(tokens), self._verifier.n_lead
        return report

    def verify(self, root: int, tree: DraftTree) -> Logits:
        assert not len(tree), "drafts are for what is on the tape"
        logits = self._verifier.verify(root, tree)
        self._rows[self.length], self.n_lead = logits[0].clone(), 0
        return logits

    def keep(self, path: Sequence[int]) -> None:
        self._verifier.keep(path)
        self.length += 1


class _Tape:
    """A verifier that knows the rows of one output: of other paths than that nobody asks."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.length, self.n_lead = 0, 0

    def prefill(self, tokens: Sequence[int], cancel: CancelToken) -> PrefillReport:
        self.length = len(tokens)
        return PrefillReport(len(tokens), len(tokens), 0.0)

    def verify(self, root: int, tree: DraftTree) -> Logits:
        return _TreeRows(self._rows, self.length, tree)

    def keep(self, path: Sequence[int]) -> None:
        self.length += 1 + len(path)


class _TreeRows:
    """Row 0 follows the root, row i + 1 follows node i, if it is on the path."""

    def __init__(self, rows: Rows, length: int, tree: DraftTree) -> None:
        self._rows, self._length, self._tree = rows, length, tree

    def __getitem__(self, row: int, /) -> Tensor:
        at = self._length + (self._tree.depths[row - 1] if row else 0)
        return self._rows[at] if at in self._rows else torch.zeros_like(next(iter(self._rows.values())))


class _Clocked:
    """Tells a drafter the times of the costs."""

    def __init__(self, drafter: Drafter, cost: StepCost) -> None:
        self._drafter, self._cost, self._past = drafter, cost, 0

    def draft(self, context: Sequence[int], past: int, healing: Healing | None) -> DraftTree:
        self._past = past
        return self._drafter.draft(context, past, healing)

    def observe(self, tree: DraftTree, verdict: Verdict) -> None:
        ms = self._cost.ms(verdict.n_rows, self._past)
        self._drafter.observe(tree, verdict._replace(verify_ms=ms))
