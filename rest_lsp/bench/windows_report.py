"""Figures of `bench windows`, for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median, quantiles
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from rest_lsp.bench.keystroke_replay import KeyEvent
from rest_lsp.bench.machine import Machine

KNOWN_MS = 15.0
"""What comes sooner was known already or refused by a rule, and says nothing about the model."""


class Memory(NamedTuple):
    """Bytes; pages that processes share count in parts, where the system tells.

    processes   the server, or the fronts and then the daemon
    workers     what writes their indexes, a process for each workspace
    """

    processes: list[int]
    workers: list[int]

    @classmethod
    def of(cls, pids: Sequence[int]) -> Memory:
        import psutil

        found = [psutil.Process(pid) for pid in pids]
        workers = {child.pid: child for process in found for child in process.children() if child.pid not in pids}
        return cls([_bytes(process) for process in found], [_bytes(process) for process in workers.values()])

    @property
    def total(self) -> int:
        return sum(self.processes)

    @property
    def with_workers(self) -> int:
        return self.total + sum(self.workers)


def _bytes(process: Any) -> int:
    info = process.memory_full_info()
    return int(getattr(info, "pss", info.uss))


@dataclass(frozen=True)
class Typing:
    """One window that typed with others; the next key may come before an answer, as it does to people."""

    project: str
    keys: int
    answered: int
    errors: int
    p50_ms: float
    p95_ms: float

    @classmethod
    def of(cls, project: str, events: Sequence[KeyEvent]) -> Typing:
        waits = [event.latency_ms for event in events if event.latency_ms is not None]
        p50, p95 = (median(waits), quantiles(waits, n=20)[-1]) if len(waits) > 1 else (0.0, 0.0)
        return cls(project, len(events), len(waits), sum(event.error is not None for event in events), p50, p95)


@dataclass(frozen=True)
class Beside:
    """Milliseconds until the answers that took the model's time: alone, and beside; each key was pressed in both."""

    keys: list[tuple[float, float]]

    @classmethod
    def of(cls, alone: Sequence[float], beside: Sequence[float]) -> Beside:
        return cls([pair for pair in zip(alone, beside, strict=True) if max(pair) >= KNOWN_MS])

    @property
    def alone_ms(self) -> float:
        return median(alone for alone, _ in self.keys)

    @property
    def beside_ms(self) -> float:
        return median(beside for _, beside in self.keys)

    @property
    def ratio(self) -> float | None:
        return self.beside_ms / self.alone_ms if self.keys else None

    @property
    def ratio_of_a_key(self) -> float | None:
        """Median of each key's own ratio, which says less about which keys lie in the middle."""
        return median(beside / alone for alone, beside in self.keys) if self.keys else None


@dataclass(frozen=True)
class WindowsReport:
    """`shared` is the memory of three windows, `alone` of a server by itself; `starts_ms` of fronts that joined."""

    model: str
    machine: Machine
    shared: Memory
    alone: Memory
    typing: list[Typing]
    beside: Beside
    starts_ms: list[float]

    @property
    def memory_ratio(self) -> float:
        return self.shared.total / self.alone.total

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "machine": self.machine.to_json(),
            "memory": {
                "shared": self.shared._asdict(),
                "alone": self.alone._asdict(),
                "ratio": self.memory_ratio,
                "ratio_with_workers": self.shared.with_workers / self.alone.with_workers,
            },
            "starts_ms": self.starts_ms,
            "typing": [asdict(window) for window in self.typing],
            "beside_indexing": {
                **asdict(self.beside),
                "ratio": self.beside.ratio,
                "ratio_of_a_key": self.beside.ratio_of_a_key,
            },
        }


def print_windows(console: Console, report: WindowsReport) -> None:
    console.print(_memory(report))
    console.print(_typing(report))
    console.print(_beside(report.beside), highlight=False)
    console.print(_starts(report.starts_ms), highlight=False)
    console.print(f"{report.model} on {report.machine.label}.", highlight=False)


def _memory(report: WindowsReport) -> Table:
    table = Table("memory, MB", "processes", "sum", "with workers of indexes")
    for name, memory in (("windows that share a process", report.shared), ("a server by itself", report.alone)):
        each = " + ".join(_megabytes(n_bytes) for n_bytes in memory.processes)
        table.add_row(name, each, _megabytes(memory.total), _megabytes(memory.with_workers))
    table.add_row("ratio", "", f"{report.memory_ratio:.2f} ×", "")
    return table


def _typing(report: WindowsReport) -> Table:
    table = Table("typing at once in", "keys", "answered in time", "p50 ms", "p95 ms", "errors")
    for window in report.typing:
        times = f"{window.p50_ms:.0f}", f"{window.p95_ms:.0f}"
        table.add_row(window.project, str(window.keys), str(window.answered), *times, str(window.errors))
    return table


def _beside(beside: Beside) -> str:
    if not beside.keys:
        return "No key took the model's time."
    return (
        f"Until an answer came, median of {len(beside.keys)} keys: {beside.alone_ms:.0f} ms alone, "
        f"{beside.beside_ms:.0f} ms while another window's folder was indexed: {beside.ratio:.2f} ×, "
        f"and {beside.ratio_of_a_key:.2f} × for a key."
    )


def _starts(starts_ms: Sequence[float]) -> str:
    return f"A front that joined was there after {median(starts_ms):.0f} ms, median of {len(starts_ms)}."


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.0f}"
