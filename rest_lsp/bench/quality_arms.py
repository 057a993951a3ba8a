"""Who answers in `bench quality`: the model by itself, and the completion service.  Knows no judge."""

from __future__ import annotations

import codecs
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, get_args

from rest_lsp.assembly import LoadedModel
from rest_lsp.bench.decode import Complete
from rest_lsp.bench.quality_cases import QualityCase
from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.fim import find_family
from rest_lsp.config import CompletionOptions, ContextKinds
from rest_lsp.drafting.drafter import NoDrafter
from rest_lsp.errors import RestLspError

RAW, INT8, POST, CONTEXT = "raw", "int8", "post", "context"
ARMS = {
    RAW: "the model in fp32, the prompt split at the cursor, up to a control token (one line: up to its end)",
    INT8: "ours: int8, anchored and healed prompt, stop rules",
    POST: "ours with post-processing",
    CONTEXT: "the same with parts of other files before the prompt",
}
USUAL_ARMS = (RAW, INT8, POST)
CONTEXT_TOKENS = 512


@dataclass(frozen=True)
class Arm:
    """A name in ARMS; of CONTEXT there are variants, "context:similar:256" for one."""

    name: str
    kinds: ContextKinds = "both"
    tokens: int = 0

    @classmethod
    def parse(cls, text: str) -> Arm:
        """Raises RestLspError."""
        name, *parts = text.strip().split(":")
        if name not in ARMS or (parts and name != CONTEXT) or len(parts) > 2:
            raise RestLspError(f"There is no arm {text!r}.", f"Choose among {', '.join(ARMS)} with --arms.")
        if name != CONTEXT:
            return cls(name)
        kinds, tokens = [*parts, *("both", str(CONTEXT_TOKENS))[len(parts) :]]
        for known in get_args(ContextKinds):
            if kinds == known and tokens.isdecimal():
                return cls(CONTEXT, known, int(tokens))
        raise RestLspError(
            f"There is no arm {text!r}.",
            f"Name it {CONTEXT}:KINDS:TOKENS, KINDS among {', '.join(get_args(ContextKinds))}.",
        )


class Answer(NamedTuple):
    """`text` in place of the document from the cursor up to `end`."""

    text: str
    end: int
    tokens: int
    ms: float
    prompt_tokens: int = 0


@dataclass(frozen=True)
class RawModel:
    """Plain decoding behind the usual prompt.  It is told whether one line is asked for."""

    model: LoadedModel
    options: CompletionOptions

    def answer(self, case: QualityCase) -> Answer:
        start = time.perf_counter()
        text, n_tokens = self._continued(self._prompt(case), is_line=case.is_line)
        return Answer(text, case.offset, n_tokens, 1e3 * (time.perf_counter() - start))

    def _prompt(self, case: QualityCase) -> list[int]:
        """As much of prefix and suffix as the budget of ours has room for, three to one."""
        tokenizer, budget = self.model.tokenizer, self.options.prompt_tokens - 3
        before = tokenizer.encode(case.text[: case.offset].replace("\r\n", "\n"))
        after = tokenizer.encode(case.text[case.offset :].replace("\r\n", "\n"))
        after = after[: max(budget // 4, budget - len(before))]
        return find_family(tokenizer).assemble(before[-(budget - len(after)) :], after)

    def _continued(self, prompt: Sequence[int], *, is_line: bool) -> tuple[str, int]:
        tokenizer, engine = self.model.tokenizer, self.model.engine
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text, n_tokens = "", 0
        most = self.options.max_tokens_single if is_line else self.options.max_tokens_multi
        steps = engine.generate(prompt, context=prompt, drafter=NoDrafter(), cancel=CancelToken(), max_tokens=most)
        for token in (token for step in steps for token in step.tokens):
            n_tokens += 1
            if token in tokenizer.control_ids or token >= tokenizer.vocab_size:
                break
            text += decoder.decode(tokenizer.token_bytes(token))
            if is_line and "\n" in text:
                return text.partition("\n")[0], n_tokens
        return text, n_tokens


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
