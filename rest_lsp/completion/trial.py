"""One short completion, drafted and plain: does the model write, is the text the same, and what did drafts save?

The place is one where drafts do well: the third of three alike methods.  It shows that they work, not how well they do.
"""

from __future__ import annotations

import random
from typing import Literal, NamedTuple, Protocol

from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.request import CompletionRequest, CompletionResult, Outcome, StopReason, Wishes
from rest_lsp.errors import Cancelled

_NAMES = ("width", "height", "depth", "weight", "price", "amount", "distance", "speed", "volume", "pressure")
_METHOD = """
    def set_{name}(self, {name}):
        if {name} < 0:
            raise ValueError("{name} must not be negative")
        self.{name} = {name}
"""
_N_BODY_LINES = 3
_WARM_UP_TOKENS = 2


class Service(Protocol):
    """What completes."""

    def complete(self, request: CompletionRequest, cancel: CancelToken, wishes: Wishes) -> CompletionResult: ...


class Judgement(NamedTuple):
    """What a trial says; `fix` is empty where there is nothing to do."""

    status: Literal["ok", "warn", "fail"]
    reason: str
    fix: str = ""


class Trial(NamedTuple):
    """The same request, answered twice."""

    drafted: CompletionResult
    plain: CompletionResult

    @property
    def is_same(self) -> bool:
        """Whether the tokens are; of those that ran out of time, as far as both came."""
        drafted, plain = self.drafted.token_ids, self.plain.token_ids
        if StopReason.BUDGET in (self.drafted.stop, self.plain.stop):
            n = min(len(drafted), len(plain))
            return drafted[:n] == plain[:n]
        return drafted == plain

    @property
    def speedup(self) -> float:
        """Of decoding, per token."""
        drafted_ms, plain_ms = (result.decode_ms / max(1, result.tokens) for result in self)
        return plain_ms / drafted_ms if drafted_ms > 0 else 1.0


def try_out(service: Service, cancel: CancelToken, draw: random.Random | None = None) -> Trial:
    """Complete one place with drafts and without, behind a warm-up.  Raises Cancelled and what `complete` raises.

    Names differ from time to time, and drafts come first: an answer that was seen before would be drafted whole.
    """
    draw = draw or random.Random()
    _complete(service, _request(draw), cancel, Wishes(max_tokens=_WARM_UP_TOKENS))
    request = _request(draw)
    drafted = _complete(service, request, cancel, Wishes())
    return Trial(drafted, _complete(service, request, cancel, Wishes(is_plain=True)))


def judge(trial: Trial, *, device: str) -> Judgement:
    """In words.  On a CPU drafts never change a token; elsewhere near-ties may fall differently."""
    if not trial.drafted.tokens:
        return Judgement("fail", "The model wrote nothing for a simple method.", "Fetch the model again.")
    if not trial.is_same and device == "cpu":
        return Judgement(
            "fail", "Drafts changed the text.", "Set drafting.enabled to false, and report this with this output."
        )
    same = "the same text" if trial.is_same else "another text behind a near-tie"
    ways = [f"{run.tokens} tokens in {run.forwards} forward passes, {run.decode_ms:.0f} ms" for run in trial]
    return Judgement(
        "ok", f"{ways[0]}; plainly {ways[1]} for {same}: drafts make it {trial.speedup:.2f} times as fast."
    )


def _request(draw: random.Random) -> CompletionRequest:
    """The cursor stands where the body of the last of three alike methods begins."""
    methods = "".join(_METHOD.format(name=name) for name in draw.sample(_NAMES, 3))
    lines = f"class Measured{draw.randrange(1000)}:{methods}".splitlines(keepends=True)
    text = "".join(lines[:-_N_BODY_LINES]) + " " * 8
    return CompletionRequest(text, len(text), language="python")


def _complete(service: Service, request: CompletionRequest, cancel: CancelToken, wishes: Wishes) -> CompletionResult:
    result = service.complete(request, cancel, wishes)
    if result.outcome is Outcome.CANCELLED:
        raise Cancelled
    return result
