"""The model by itself in `bench quality`: transformers' module in fp32, greedy, with nothing of ours but the tokenizer.

A guess at the answer goes through the module in the same pass as the prompt, and once it is used up, what followed the
last tokens where they stood before (prompt lookup).  The pick behind each guessed token is what greedy decoding picks
there, so the answer is the same in fewer passes, but for ties within the rounding of fp32.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import takewhile
from typing import Any

import torch

from rest_lsp.bench.quality_cases import QualityCase
from rest_lsp.bench.rival_transformers import build_module
from rest_lsp.completion.fim import find_family
from rest_lsp.config import CompletionOptions
from rest_lsp.models.source import WeightSource
from rest_lsp.tokenizer import Tokenizer

STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
"""Where HumanEval's own authors ended what a model wrote (arXiv 2107.03374)."""

_ALIKE = 3
"""Tokens that must have stood together before, for those behind them to be tried."""

AHEAD = 8
"""Tokens of a guess that are tried on behind a wrong one: a word was replaced, and the rest may stand."""


@dataclass
class RawModel:
    """Greedy decoding behind the usual prompt.  It is told whether one line is asked for."""

    reader: Reader
    tokenizer: Tokenizer
    options: CompletionOptions

    @classmethod
    def load(cls, source: WeightSource, tokenizer: Tokenizer, options: CompletionOptions) -> RawModel:
        """Raises RestLspError when transformers is missing or has no such model."""
        return cls(Reader(build_module(source, "fp32")), tokenizer, options)

    def answer(self, case: QualityCase, guess: str = "") -> tuple[str, int]:
        """Text and number of tokens."""
        prompt = self._prompt(case)
        most = self.options.max_tokens_single if case.is_line else self.options.max_tokens_multi
        ahead = self.tokenizer.encode(guess)[: most - 1]
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text, written = "", list[int]()
        while len(written) < most:
            # What follows the gap is often written again, and each pass in fp32 takes its time.
            ahead = ahead or look_up(prompt + written)[: most - len(written) - 1]
            for pick in self.reader.picks(prompt + written, ahead):
                written.append(pick)
                if pick in self.tokenizer.control_ids or pick >= self.tokenizer.vocab_size:
                    return text, len(written)
                text += decoder.decode(self.tokenizer.token_bytes(pick))
                if (end := end_of(text, is_line=case.is_line)) >= 0:
                    return text[:end], len(written)
                is_guessed = ahead[:1] == [pick]
                ahead = ahead[1:]
                if not is_guessed:
                    ahead = ahead[:AHEAD]
                    break
        return text, len(written)

    def _prompt(self, case: QualityCase) -> list[int]:
        """As much of prefix and suffix as the budget of ours has room for, three to one."""
        tokenizer, budget = self.tokenizer, self.options.prompt_tokens - 3
        before = tokenizer.encode(case.text[: case.offset].replace("\r\n", "\n"))
        after = tokenizer.encode(case.text[case.offset :].replace("\r\n", "\n"))
        after = after[: max(budget // 4, budget - len(before))]
        return find_family(tokenizer).assemble(before[-(budget - len(after)) :], after)


def end_of(text: str, *, is_line: bool) -> int:
    """Where a simple stop rule ends it; -1 when it does not yet."""
    if is_line:
        return text.find("\n")
    return min((at for at in map(text.find, STOPS) if at >= 0), default=-1)


def look_up(tokens: Sequence[int]) -> list[int]:
    """What followed the last few of `tokens` where they stood before; at most AHEAD."""
    last = list(tokens[-_ALIKE:])
    for end in range(len(tokens) - 1, _ALIKE - 1, -1):
        if tokens[end - 1] == last[-1] and list(tokens[end - _ALIKE : end]) == last:
            return list(tokens[end : end + AHEAD])
    return []


@dataclass
class Reader:
    """A module of transformers with the keys and values of what it read last, of which common beginnings are kept."""

    module: Any
    _known: list[int] = field(default_factory=list)
    _cache: Any = None

    def picks(self, tokens: Sequence[int], ahead: Sequence[int]) -> list[int]:
        """The most likely token behind `tokens`, and behind each of `ahead` that follow them: 1 + len(ahead)."""
        read = [*tokens, *ahead]
        pairs = zip(self._known, read[: len(tokens) - 1], strict=False)
        n_known = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        if self._cache is None:
            self._cache = import_module("transformers").DynamicCache()
        if n_known < len(self._known):
            self._cache.crop(n_known - len(self._known))
        with torch.inference_mode():
            logits = self.module(
                torch.tensor([read[n_known:]]), past_key_values=self._cache, use_cache=True,
                logits_to_keep=1 + len(ahead),
            ).logits  # fmt: skip
        self._known = read
        picks: list[int] = logits[0].argmax(-1).tolist()
        return picks
