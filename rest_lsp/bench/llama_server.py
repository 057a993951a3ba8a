"""One server of llama.cpp in a process of its own, asked from here without a socket.

Where several programs of one process bring threads of OpenMP, there are soon more of them than cores, and then all wait
for each other asleep: each was slower by half.  By itself, a program is as quick as it can be.  Imports little, since
the other process has to.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing import get_context
from typing import Any

from rest_lsp.errors import RestLspError
from rest_lsp.waiting import wait_as_usual


@dataclass(frozen=True)
class Way:
    """A name, the speculative type of llama.cpp, and the values of its parameters that are not llama.cpp's own."""

    name: str
    kind: str
    values: Mapping[str, int] = field(default_factory=dict)

    @property
    def settings(self) -> str:
        if self.kind == "none":
            return "no speculation"
        return ", ".join(f"{name} {value}" for name, value in self.values.items()) or "its defaults"


@dataclass(frozen=True)
class ServerOptions:
    """What a server is started with; `context` is in tokens."""

    gguf: str
    threads: int
    context: int
    way: Way


class ServerProcess:
    """Starts with the first question."""

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        self._process = ProcessPoolExecutor(1, get_context("spawn"), _start, (options,))

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer of llama.cpp's completion endpoint, which may be an error.  Raises RestLspError when it died."""
        try:
            return self._process.submit(_ask, dict(request)).result()
        except BrokenProcessPool as error:
            raise RestLspError(
                f"{self._options.way.name} has ended while it read or ran {self._options.gguf}.",
                "Leave it out with --peers.",
            ) from error

    def close(self) -> None:
        """End the process and wait for that."""
        self._process.shutdown()


_servers: list[Any] = []
"""In the other process: its only one."""


def _start(options: ServerOptions) -> None:
    wait_as_usual()
    xllamacpp: Any = import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = options.gguf
    params.n_ctx, params.n_parallel = options.context, 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options.threads
    params.n_gpu_layers, params.cache_ram_mib, params.verbosity, params.ui = 0, 0, -1, False
    kind = options.way.kind
    params.speculative.types = [getattr(xllamacpp.common_speculative_type, f"COMMON_SPECULATIVE_TYPE_{kind.upper()}")]
    for key, value in options.way.values.items():
        setattr(getattr(params.speculative, kind), key, value)
    _servers.append(xllamacpp.Server(params))


def _ask(request: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = _servers[0].handle_completions(request)
    return answer
