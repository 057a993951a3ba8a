"""The memory floor: the least time one token can take, since each token reads every weight once.

Knows how many bytes those are, and how fast this machine reads; not how the model computes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

SMALLEST_BUFFER = 64 * 2**20
"""Bytes: a smaller buffer would be read from a cache and not from memory."""


@dataclass(frozen=True)
class MemoryFloor:
    """`bytes_per_token` read at `bandwidth_gb_s` (10^9 bytes per second)."""

    bytes_per_token: int
    bandwidth_gb_s: float

    @property
    def ms(self) -> float:
        """Milliseconds per token that no way of decoding one token at a time can beat."""
        return self.bytes_per_token / (self.bandwidth_gb_s * 1e9) * 1e3


def measure_floor(bytes_per_token: int, *, device: str, threads: int) -> MemoryFloor:
    """Takes about a second: the best of several passes of several reductions over a buffer as large as the weights."""
    n_bytes = max(bytes_per_token, SMALLEST_BUFFER)
    return MemoryFloor(bytes_per_token, read_bandwidth(n_bytes, device=device, threads=threads))


def read_bandwidth(n_bytes: int, *, device: str, threads: int, passes: int = 5) -> float:
    """10^9 bytes per second at which `threads` threads stream `n_bytes` through a reduction."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        buffer = torch.ones(n_bytes // 8, dtype=torch.int64, device=device)
        best = min(
            _seconds(view, maximum)
            for _ in range(passes)
            for view, maximum in ((buffer, False), (buffer.view(torch.float32), False), (buffer, True))
        )
    finally:
        torch.set_num_threads(n_threads)
    return buffer.nbytes / best / 1e9


def _seconds(buffer: torch.Tensor, maximum: bool) -> float:
    _synchronise(buffer)
    begin = time.perf_counter()
    buffer.max() if maximum else buffer.sum()
    _synchronise(buffer)
    return time.perf_counter() - begin


def _synchronise(buffer: torch.Tensor) -> None:
    if buffer.is_cuda:
        torch.cuda.synchronize(buffer.device)
