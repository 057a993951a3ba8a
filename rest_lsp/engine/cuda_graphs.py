"""Computations of fixed shapes as CUDA graphs: hundreds of kernels launched by one call."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Compute = Callable[[], Tensor]
"""Reads and writes buffers that stay where they are, and returns a tensor.  Doing it twice is as good as once."""

WARM_UP_PASSES = 3
"""Before a capture, so that libraries have chosen their kernels and allocated their workspaces."""


class GraphCapture:
    """Captures computations that are replayed one at a time, so that they share one pool of memory.

    What a replay returns is valid until the next replay of the same graph.
    """

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, compute: Compute) -> Compute:
        """`compute` runs a few times for real, on a stream aside as capturing demands, and then once for the record."""
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP_PASSES):
                compute()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        # What other threads of the process do with the device meanwhile is no concern of this stream.
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            result = compute()

        def replay() -> Tensor:
            graph.replay()
            return result

        return replay
