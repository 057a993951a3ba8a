"""The model without all that makes it a good assistant: the baseline of `bench keystrokes`.

Same weights and kernels, plain decoding, the prompt split at the cursor, one line, the same budget of tokens and time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from rest_lsp.assembly import LoadedModel
from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.fim import find_family
from rest_lsp.completion.prompt import CHARACTERS_PER_TOKEN
from rest_lsp.config import CompletionOptions
from rest_lsp.drafting.drafter import NoDrafter

PREFIX_STEP = 128


@dataclass(frozen=True)
class BareModel:
    """Writes one line.  What the KV cache knows of the prompt is used, as every engine does."""

    model: LoadedModel
    options: CompletionOptions

    def write(self, text: str, cursor: int, cancel: CancelToken) -> str:
        """The line; nothing when the time is up before its end.  Raises Cancelled."""
        budget_ms = self.options.time_budget_automatic_ms
        deadline_s = time.perf_counter() + budget_ms / 1e3 if budget_ms else float("inf")
        tokenizer = self.model.tokenizer
        spelled = b""
        steps = self.model.engine.generate(
            prompt := self._prompt(text, cursor), context=prompt, drafter=NoDrafter(), cancel=cancel,
            max_tokens=self.options.max_tokens_single,
        )  # fmt: skip
        for token in (token for step in steps for token in step.tokens):
            is_end = token in tokenizer.control_ids or token >= tokenizer.vocab_size
            spelled += b"" if is_end else tokenizer.token_bytes(token)
            if is_end or b"\n" in spelled:
                return spelled.partition(b"\n")[0].decode(errors="ignore")
            if time.perf_counter() > deadline_s:
                break
        return ""

    def _prompt(self, text: str, cursor: int) -> Sequence[int]:
        """A quarter for the suffix, as in ours.  The prefix begins at a multiple of PREFIX_STEP, or no key would find
        anything of it in the KV cache."""
        tokenizer, budget = self.model.tokenizer, self.options.prompt_tokens - 3
        before = tokenizer.encode(text[:cursor].replace("\r\n", "\n"))
        after = tokenizer.encode(text[cursor : cursor + budget * CHARACTERS_PER_TOKEN].replace("\r\n", "\n"))
        after = after[: budget // 4]
        n_over = max(0, len(before) + len(after) - budget)
        return find_family(tokenizer).assemble(before[-(-n_over // PREFIX_STEP) * PREFIX_STEP :], after)
