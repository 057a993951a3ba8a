"""One completion, drafted and plain: what is asked, what is compared, and what is said about it."""

from __future__ import annotations

import random

import pytest

from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.request import CompletionRequest, CompletionResult, Outcome, StopReason, Wishes
from rest_lsp.completion.trial import Trial, judge, try_out
from rest_lsp.errors import Cancelled


class Service:
    """Remembers what it was asked."""

    def __init__(self, outcome: Outcome = Outcome.RETURNED) -> None:
        self.asked: list[tuple[CompletionRequest, Wishes]] = []
        self._outcome = outcome

    def complete(self, request: CompletionRequest, cancel: CancelToken, wishes: Wishes) -> CompletionResult:
        self.asked.append((request, wishes))
        return result([1, 2], ms=10.0, outcome=self._outcome)


def result(
    tokens: list[int], *, ms: float, outcome: Outcome = Outcome.RETURNED, stop: StopReason | None = None
) -> CompletionResult:
    return CompletionResult("", 0, 0, outcome, stop, token_ids=tuple(tokens), forwards=1, spans={"verify": ms})


def test_drafts_come_first_and_nothing_that_was_asked_before_helps_them() -> None:
    service = Service()
    try_out(service, CancelToken(), random.Random(1))
    (warm_up, few), (drafted, as_set), (plain, plainly) = service.asked
    assert (few.max_tokens, as_set, plainly) == (2, Wishes(), Wishes(is_plain=True))
    assert drafted == plain
    assert drafted.text != warm_up.text
    assert drafted.text.rstrip(" ").endswith("):\n")
    assert drafted.text.count("must not be negative") == 2


def test_a_trial_that_is_cancelled_is_no_finding() -> None:
    with pytest.raises(Cancelled):
        try_out(Service(Outcome.CANCELLED), CancelToken())


@pytest.mark.parametrize(
    ("drafted", "plain", "device", "status", "words"),
    [
        (result([1, 2, 3], ms=10), result([1, 2, 3], ms=25), "cpu", "ok", "the same text: drafts make it 2.50 times"),
        (result([], ms=0), result([], ms=0), "cpu", "fail", "wrote nothing"),
        (result([1, 2], ms=10), result([1, 3], ms=10), "cpu", "fail", "Drafts changed the text"),
        (result([1, 2], ms=10), result([1, 3], ms=10), "cuda", "ok", "another text behind a near-tie"),
        (result([1, 2], ms=10), result([1], ms=10, stop=StopReason.BUDGET), "cpu", "ok", "2.00 times"),
        (result([1, 2], ms=10), result([3], ms=10, stop=StopReason.BUDGET), "cpu", "fail", "Drafts changed the text"),
    ],
)
def test_what_is_said(drafted: CompletionResult, plain: CompletionResult, device: str, status: str, words: str) -> None:
    found = judge(Trial(drafted, plain), device=device)
    assert found.status == status
    assert words in found.reason
    assert bool(found.fix) == (status != "ok")
