"""Whatever comes between two requests, drafts change nothing: edits, cancellations, reading ahead, other documents.

More documents than there are KV caches, so that caches are rolled back, copied from each other and given up.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.request import CompletionRequest, CompletionResult, Outcome, Wishes
from rest_lsp.drafting.drafter import Drafter, NoDrafter
from rest_lsp.engine.engine import Engine
from rest_lsp.engine.sampling import Sampling
from rest_lsp.errors import Cancelled
from tests.engines import CPU_DTYPES, RandomDrafter, load_tiny, run_scored, tiny_engine
from tests.fakes_models import SAMPLE
from tests.services import Served, serve

VOCABULARY = 448
CACHES, DOCUMENTS = 2, 4
MOST_TOKENS = 12
SAMPLINGS = [Sampling(), Sampling(0.9, 0.95, 50, 7)]


@pytest.fixture(autouse=True)
def few_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rest_lsp.engine.kv_pool.MOST_CACHES", CACHES)


class CancelledAt(CancelToken):
    """Is cancelled when it is tested for the `n`th time, as if a key came then; never when that is None."""

    def __init__(self, n: int | None) -> None:
        super().__init__()
        self._n = n

    @property
    def is_cancelled(self) -> bool:
        if self._n is not None and self.n_tests + 1 >= self._n:
            self.cancel()
        return super().is_cancelled


class Tokens:
    """Documents of token ids, two of which begin alike, and somebody who edits them anywhere."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        common = self.some(30)
        self.documents = [[*(common if n < 2 else ()), *self.some(draw.randrange(20, 120))] for n in range(DOCUMENTS)]

    def some(self, n: int) -> list[int]:
        return self._draw.choices(range(VOCABULARY), k=n)

    def edit(self, document: list[int]) -> None:
        if self._draw.random() < 0.6:
            document += self.some(self._draw.randrange(1, 5))
        else:
            at = self._draw.randrange(1, len(document))
            document[at : at + self._draw.randrange(9)] = self.some(self._draw.randrange(9))
        del document[200:]


def answer(
    engine: Engine, prompt: list[int], drafter: Drafter, sampling: Sampling, cancel_at: int | None
) -> tuple[list[tuple[int, float]], bool]:
    """What was written, each token with its log-probability, and whether to the end."""
    steps = engine.generate(
        prompt,
        context=prompt,
        drafter=drafter,
        sampling=sampling,
        cancel=CancelledAt(cancel_at),
        max_tokens=MOST_TOKENS,
    )
    written: list[tuple[int, float]] = []
    try:
        for step in steps:
            written += zip(step.tokens, step.log_probs, strict=True)
    except Cancelled:
        return written, False
    return written, True


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dtype", CPU_DTYPES)
def test_a_session_with_drafts_writes_what_one_without_does(tmp_path: Path, dtype: str, seed: int) -> None:
    """Where keys and values settle, also what an engine writes that knows nothing of all that came before."""
    drafting, plain = tiny_engine(tmp_path, dtype), load_tiny(tmp_path / dtype, dtype)
    fresh = load_tiny(tmp_path / dtype, dtype) if plain.verifier.model.settles else None
    draw = random.Random(f"{dtype}{seed}")
    tokens = Tokens(draw)
    n_accepted = n_cut = n_reused = 0
    for _ in range(60):
        document = draw.choice(tokens.documents)
        for _ in range(draw.randrange(3)):
            tokens.edit(document)
        cancel_at = draw.choice([None, None, 1, 2, 3, 5])
        if draw.random() < 0.2:
            for engine in (drafting, plain):
                read_ahead(engine, document, cancel_at)
            continue
        sampling = draw.choice(SAMPLINGS)
        expected, is_whole = answer(plain, document, NoDrafter(), sampling, cancel_at)
        drafter = RandomDrafter(draw.randrange(1000), VOCABULARY, [token for token, _ in expected], len(document))
        written, _ = answer(drafting, document, drafter, sampling, cancel_at)
        n_known = min(len(written), len(expected))
        assert written[:n_known] == expected[:n_known]
        assert not is_whole or written == expected
        if fresh is not None:
            alone = run_scored(fresh, document, NoDrafter(), sampling=sampling, max_tokens=MOST_TOKENS)
            assert alone[: len(written)] == written
        n_accepted, n_cut = n_accepted + drafter.accepted, n_cut + (not is_whole)
        n_reused += drafting.last_prefill.reused
        if is_whole and draw.random() < 0.5:
            document += [token for token, _ in written[: draw.randrange(len(written) + 1)]]
    assert n_accepted > 40
    assert n_cut > 5
    assert n_reused > 500


def read_ahead(engine: Engine, document: list[int], cancel_at: int | None) -> None:
    with contextlib.suppress(Cancelled):
        engine.prefill(document, CancelledAt(cancel_at))


class Typist:
    """Several texts, a cursor in one of them at a time, and a service that drafts while they change."""

    def __init__(self, served: Served, draw: random.Random) -> None:
        self._served, self._draw, self._cursors = served, draw, dict[str, int]()
        self.texts = {f"{name}.txt": "\n".join(draw.choices(LINES, k=12)) + "\n" for name in "abcd"[:DOCUMENTS]}

    def requests(self, n: int) -> Iterator[CompletionRequest]:
        """Places at the end of what was typed, deleted or pasted last."""
        draw = self._draw
        for version in range(n):
            path = draw.choice(sorted(self.texts))
            text = self.texts[path]
            near = self._cursors.get(path) if draw.random() < 0.7 else None
            at = draw.randrange(len(text) + 1) if near is None else min(near, len(text))
            removed = text[at : at + draw.choice([0, 0, 1, 20])]
            if removed:
                self._served.drafting.deleted.removed(path, text[:at], removed)
            typed = draw.choice(["", "self", "\n    ret", draw.choice(LINES)])
            self.texts[path] = text[:at] + typed + text[at + len(removed) :]
            self._cursors[path] = at + len(typed)
            yield CompletionRequest(self.texts[path], at + len(typed), path=path, version=version)

    def take(self, request: CompletionRequest, result: CompletionResult) -> None:
        assert request.path is not None
        self.texts[request.path] = request.text[: result.start] + result.text + request.text[result.end :]
        self._cursors[request.path] = result.start + len(result.text)


LINES = SAMPLE.splitlines()


@pytest.mark.parametrize("temperature", [0.0, 0.9])
@pytest.mark.parametrize("seed", range(2))
def test_texts_are_completed_as_if_nothing_had_been_before(tmp_path: Path, seed: int, temperature: float) -> None:
    """To the bit: a service that remembers, drafts and is interrupted, and one that has just been started each time."""
    drafting = serve(tiny_engine(tmp_path, "int8"), tmp_path / "int8", temperature=temperature)
    plain = serve(load_tiny(tmp_path / "int8", "int8"), tmp_path / "int8", temperature=temperature)
    draw = random.Random(seed)
    typist = Typist(drafting, draw)
    accepted_by: set[str] = set()
    n_cancelled = n_reused = 0
    for request in typist.requests(60):
        cancel = CancelledAt(draw.choice([None, None, None, 2, 4, 6]))
        if draw.random() < 0.2:
            try:
                drafting.service.prewarm(request, cancel)
            except Cancelled:
                n_cancelled += 1
            continue
        result = drafting.service.complete(request, cancel)
        if result.outcome is Outcome.CANCELLED:
            n_cancelled += 1
            continue
        plain.engine.forget()
        expected = plain.service.complete(request, CancelToken(), Wishes(is_plain=True))
        assert what_is_said(result) == what_is_said(expected)
        accepted_by |= {name for name, _ in result.accepted_by}
        n_reused += result.reused
        if draw.random() < 0.4:
            typist.take(request, result)
    assert {"document", "completions", "successors"} <= accepted_by
    assert n_cancelled > 5
    assert n_reused > 200


def what_is_said(result: CompletionResult) -> tuple[Any, ...]:
    return result.token_ids, result.log_probs, result.text, result.start, result.end, result.stop
