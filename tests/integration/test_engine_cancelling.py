"""Work that nobody waits for any more ends within a forward pass, whatever it is at: no pass begins after that."""

from __future__ import annotations

from pathlib import Path

import pytest

from rest_lsp.cancellation import CancelToken
from rest_lsp.drafting.drafter import NoDrafter
from rest_lsp.engine.engine import GREEDY, Engine
from rest_lsp.engine.verifier import SETTLED_CHUNK
from rest_lsp.errors import Cancelled
from tests.engines import CPU_DTYPES, tiny_engine

N_READING, N_WRITING = 4, 6
PROMPT = [(37 * i * i + 11 * i) % 448 for i in range(N_READING * SETTLED_CHUNK + 1)]


class CancelledBefore(CancelToken):
    """Is cancelled when the `n`th pass is about to begin."""

    def __init__(self, n: int, engine: Engine) -> None:
        super().__init__()
        self._n, self._engine, self._n_before = n, engine, engine.passes.n

    @property
    def n_passes(self) -> int:
        return self._engine.passes.n - self._n_before

    @property
    def is_cancelled(self) -> bool:
        if self.n_passes + 1 >= self._n:
            self.cancel()
        return super().is_cancelled


@pytest.mark.parametrize("dtype", CPU_DTYPES)
def test_no_pass_begins_after_cancelling(tmp_path: Path, dtype: str) -> None:
    engine = tiny_engine(tmp_path, dtype)
    whole = CancelledBefore(1000, engine)
    generate(engine, whole)
    assert whole.n_passes > N_WRITING, "reading takes passes as well"
    for n in range(1, whole.n_passes + 1):
        engine.forget()
        cancel = CancelledBefore(n, engine)
        with pytest.raises(Cancelled):
            generate(engine, cancel)
        assert cancel.n_passes == n - 1


def generate(engine: Engine, cancel: CancelToken) -> None:
    steps = engine.generate(
        PROMPT, context=PROMPT, drafter=NoDrafter(), sampling=GREEDY, cancel=cancel, max_tokens=N_WRITING
    )
    assert sum(len(step.tokens) for step in steps) == N_WRITING
