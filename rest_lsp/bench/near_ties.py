"""Whether rounding alone changed an output: plain decoding is made to write every token of it (teacher forcing).

On accelerators a pass of many rows rounds otherwise than a pass of one, so of two tokens whose logits are almost equal
now one is picked and now the other.  That is a near tie.  Anything else is an error of ours, and none may be left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rest_lsp.bench.holes import Hole
from rest_lsp.bench.results import Judgement, Pair, common_prefix
from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.fim import find_family
from rest_lsp.completion.prompt import Prompt, PromptBuilder
from rest_lsp.completion.snapshot import take_snapshot
from rest_lsp.config import CompletionOptions
from rest_lsp.drafting.drafter import NoDrafter
from rest_lsp.engine.decode import decode
from rest_lsp.engine.engine import GREEDY, Engine
from rest_lsp.engine.sampling import pick
from rest_lsp.healing import Healing
from rest_lsp.tokenizer import Tokenizer

NEAR = 3.0
"""Roundings, see `rounding_of`, by which two of a row's greatest logits may move against each other.

Qwen2.5-Coder-0.5B in bf16, a tree of 15 rows beside passes of one row, 24 rows of real code: logits moved by 0.1 to 0.3
(standard deviation), two of the ten greatest by up to 1.5.  The two greatest lay 0 to 46 apart, half of them above 7.
"""


@dataclass(frozen=True)
class Doubt:
    """A token that plain decoding would not have picked, or that only one of two outputs has.

    gap  how far its logit lies below the greatest of its row, in roundings
    """

    position: int
    token: int
    gap: float


class Judge:
    """Judges the outputs of one engine with one tokenizer."""

    def __init__(self, engine: Engine, tokenizer: Tokenizer, options: CompletionOptions) -> None:
        self._engine = engine
        self._prompts = PromptBuilder(
            tokenizer,
            find_family(tokenizer, engine.info.model),
            budget_tokens=options.prompt_tokens,
            anchor_lines=options.anchor_lines,
        )

    def judge(self, hole: Hole, pair: Pair) -> Pair:
        """The same pair, judged where its outputs part; empties the KV cache then.

        When one output is the beginning of the other there is nothing to judge: the rules that end them saw the same
        tokens, and one of them is wrong.
        """
        if pair.mismatch is None or None in pair.mismatch:
            return pair
        prompt = self._prompts.build_prompt(take_snapshot(hole.request, self._prompts.reach))
        doubts = doubts_of(self._engine, prompt, pair.plain.tokens, pair.rest.tokens)
        return replace(pair, judgement=judgement_of(doubts, is_exact=self._engine.verifier.model.is_exact))


def judgement_of(doubts: Sequence[Doubt], *, is_exact: bool) -> Judgement:
    """Where verification `is_exact`, rounding explains nothing."""
    n_near = 0 if is_exact else sum(doubt.gap <= NEAR for doubt in doubts)
    return Judgement(n_near, len(doubts) - n_near, max(doubt.gap for doubt in doubts))


def doubts_of(engine: Engine, prompt: Prompt, plain: Sequence[int], rest: Sequence[int]) -> list[Doubt]:
    """Teacher forcing: `rest` is written by passes of one row, as plain decoding writes.

    Where the outputs part, the worse of the two tokens counts; behind that every token that is not the likeliest, given
    those before it, is a doubt of its own.
    """
    parted = common_prefix(plain, rest)
    doubts: list[Doubt] = []
    verifier, cancel = engine.verifier, CancelToken()

    def teach(logits: Tensor, position: int, healing: Healing | None) -> int:
        at = position - len(prompt.ids)
        candidates = {rest[at], plain[at]} if at == parted else {rest[at]}
        among = logits if healing is None else logits[torch.tensor(healing.allowed(), device=logits.device)]
        lowest = min(candidates, key=lambda token: float(logits[token]))
        gap = float(among.max() - logits[lowest]) / rounding_of(among, verifier.model.dtype)
        if at == parted or rest[at] != pick(logits, position, GREEDY, healing):
            doubts.append(Doubt(at, lowest, gap))
        return rest[at]

    engine.forget()
    verifier.prefill(prompt.ids[:-1], cancel)
    steps = decode(
        verifier, prompt.ids, context=prompt.context_ids, drafter=NoDrafter(), pick=teach, healing=prompt.healing,
        cancel=cancel, max_tokens=len(rest),
    )  # fmt: skip
    for _ in steps:
        pass
    engine.forget()
    return doubts


def rounding_of(logits: Tensor, dtype: torch.dtype) -> float:
    """The step between neighbouring numbers in `dtype` at a row's greatest logit."""
    return torch.finfo(dtype).eps * max(float(logits.abs().max()), torch.finfo(torch.float32).tiny)
