"""Results of the completion service as clients of HTTP read them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from rest_lsp.completion.request import CompletionResult, StopReason
from rest_lsp.http.bodies import Choice, Drafting, InfillResponse, LogProbs, Timings, Usage
from rest_lsp.tokenizer import Tokenizer

_PIECE = re.compile(r"\s*\S+|\s+")
_LIMITS = (StopReason.MAX_TOKENS, StopReason.BUDGET)

Ending = Literal["eos", "limit", "word"]


def insertion(text: str, result: CompletionResult, stops: Sequence[str]) -> tuple[str, Ending]:
    """What these clients insert at the cursor, and what ended it.

    They cannot replace what stands behind the cursor, as an editor does by a range; what would come twice is left out.
    """
    inserted = result.text
    replaced = text[result.start : result.end]
    if replaced and replaced in inserted:
        inserted = inserted[: inserted.rindex(replaced)]
    ends = [end for stop in stops if (end := inserted.find(stop)) >= 0]
    if ends:
        return inserted[: min(ends)], "word"
    return inserted, "limit" if result.stop in _LIMITS else "eos"


def pieces(text: str) -> Iterator[str]:
    """What a stream sends, one after the other."""
    yield from _PIECE.findall(text)


def infill_answer(content: str, ending: Ending, result: CompletionResult, model: str) -> InfillResponse:
    n_read = max(0, result.prompt_tokens - result.reused)
    return InfillResponse(
        content=content,
        tokens=list(result.token_ids),
        model=model,
        stop_type=ending,
        tokens_predicted=result.tokens,
        tokens_evaluated=result.prompt_tokens,
        tokens_cached=result.reused,
        timings=Timings(
            prompt_n=n_read,
            prompt_ms=result.prefill_ms,
            prompt_per_token_ms=_per(result.prefill_ms, n_read),
            prompt_per_second=_per(1000 * n_read, result.prefill_ms),
            predicted_n=result.tokens,
            predicted_ms=result.decode_ms,
            predicted_per_token_ms=_per(result.decode_ms, result.tokens),
            predicted_per_second=_per(1000 * result.tokens, result.decode_ms),
        ),
        rest=Drafting(
            forwards=result.forwards,
            drafted=result.drafted,
            accepted=result.accepted,
            sources=[source._asdict() for source in result.sources],
        ),
    )


def only_fields(answer: dict[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """As llama.cpp does it: each field that is there under its whole name, such as `timings/prompt_n`."""
    found = {}
    for field in fields:
        value: Any = answer
        for part in field.split("/"):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            found[field] = value
    return found


def choice(index: int, text: str, ending: Ending, logprobs: LogProbs | None) -> Choice:
    reason: Literal["stop", "length"] = "length" if ending == "limit" else "stop"
    return Choice(index=index, text=text, finish_reason=reason, logprobs=logprobs)


def logprobs_of(result: CompletionResult, tokenizer: Tokenizer, offset: int) -> LogProbs:
    """As OpenAI does it, the token itself is told of even where it is not among the likeliest."""

    def spelt(token: int) -> str:
        return tokenizer.control_name(token) or tokenizer.token_bytes(token).decode(errors="replace")

    words = [spelt(token) for token in result.token_ids]
    offsets, place = [], offset
    for word in words:
        offsets.append(place)
        place += len(word)
    top = [{word: log_prob} for word, log_prob in zip(words, result.log_probs, strict=True)]
    for own, chances in zip(top, result.chances, strict=False):
        for token, log_prob in chances:
            # Pieces of characters look alike: one stands for all of them.
            own.setdefault(spelt(token), log_prob)
    return LogProbs(tokens=words, token_logprobs=list(result.log_probs), top_logprobs=top, text_offset=offsets)


def usage_of(results: Sequence[CompletionResult]) -> Usage:
    prompt, written = results[0].prompt_tokens, sum(result.tokens for result in results)
    return Usage(prompt_tokens=prompt, completion_tokens=written, total_tokens=prompt + written)


def _per(value: float, n: float) -> float:
    return value / n if n else 0.0
