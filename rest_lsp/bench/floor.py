"""The memory floor: the least time one token can take, since each token reads every weight once.

Knows how many bytes those are, and how fast this machine reads; not how the model computes.
"""

from __future__ import annotations

import time
from statistics import median

import torch

from rest_lsp.engine.huge_pages import use_huge_pages

SMALLEST_BUFFER = 64 * 2**20
"""Bytes: a smaller buffer would be read from a cache and not from memory."""


class FloorProbe:
    """Streams a buffer as large as the weights through a reduction, now and then between the cases.

    Shared machines read at one speed now and at half of it a minute later: a floor measured once, at the best moment,
    says nothing of the moments in which the model was measured.
    """

    def __init__(self, bytes_per_token: int, *, device: str, threads: int) -> None:
        self._share = bytes_per_token / max(bytes_per_token, SMALLEST_BUFFER)
        self._threads = threads
        self._buffer = torch.ones(max(bytes_per_token, SMALLEST_BUFFER) // 8, dtype=torch.int64, device=device)
        self._samples: list[float] = []
        if device == "cpu":
            use_huge_pages()

    def sample(self) -> None:
        """The quickest of several passes by two reductions; a twentieth of a second."""
        n_threads = torch.get_num_threads()
        torch.set_num_threads(self._threads)
        try:
            views = (self._buffer, self._buffer.view(torch.float32)) * 2
            self._samples.append(min(_milliseconds(view) for view in views))
        finally:
            torch.set_num_threads(n_threads)

    @property
    def ms(self) -> float:
        """Milliseconds per token, the median of all samples, that no way of decoding token by token can beat."""
        if not self._samples:
            self.sample()
        return self._share * median(self._samples)

    @property
    def bandwidth_gb_s(self) -> float:
        """10^9 bytes per second."""
        return self._share * self._buffer.nbytes / self.ms / 1e6


def _milliseconds(buffer: torch.Tensor) -> float:
    _synchronise(buffer)
    begin = time.perf_counter()
    buffer.sum()
    _synchronise(buffer)
    return 1e3 * (time.perf_counter() - begin)


def _synchronise(buffer: torch.Tensor) -> None:
    if buffer.is_cuda:
        torch.cuda.synchronize(buffer.device)
