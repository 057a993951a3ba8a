"""What `bench humaneval` found: sums by sampling and store, the table next to the paper's rows, JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

from rest_lsp.bench.direct import Decoded
from rest_lsp.bench.machine import Machine
from rest_lsp.bench.results import common_prefix
from rest_lsp.completion.request import StopReason

PLAIN = "plain"


class PaperRow(NamedTuple):
    """REST's own figures on HumanEval with CodeLlama 7B on an A6000 (arXiv 2311.08252, Tables 1 and 2).

    `tokens` are in its store, at the six bytes per token that it keeps; None where a figure is not given.
    """

    store: str
    tokens: float
    sampling: str
    tokens_per_pass: float
    speedup: float
    retrieval_ms: float | None


PAPER = (
    PaperRow("0.9 GB", 0.15e9, "greedy", 1.96, 1.83, 0.2),
    PaperRow("4.4 GB", 0.73e9, "greedy", 2.18, 1.99, 0.5),
    PaperRow("8.7 GB", 1.45e9, "greedy", 2.35, 2.11, 0.6),
    PaperRow("14 GB", 2.3e9, "greedy", 2.45, 2.15, 0.6),
    PaperRow("27 GB", 4.5e9, "greedy", 2.65, 2.36, 0.7),
    PaperRow("27 GB", 4.5e9, "nucleus", 2.57, 2.12, None),
)


@dataclass(frozen=True)
class Text:
    """One problem, one sampling: what was written plain and with each store, and which of them pass."""

    problem: str
    sampling: str
    written: Mapping[str, Decoded]
    passed: Mapping[str, bool]

    @property
    def is_timed(self) -> bool:
        return self.written[PLAIN].stop is not StopReason.LOOP


@dataclass(frozen=True)
class Row:
    """Sums over the texts of one sampling with one store, or plain; ratios leave out texts that loop."""

    sampling: str
    store: str
    store_tokens: int
    texts: int
    looped: int
    tokens: int
    ms_per_token: float
    tokens_per_pass: float
    nodes_per_pass: float
    retrieval_ms_per_token: float
    speedup: float
    pass_at_1: float
    differing_tokens: int


@dataclass(frozen=True)
class HumanEvalReport:
    """`stores` maps the name of each store to the tokens in its index."""

    model: str
    device: str
    dtype: str
    threads: int
    budget: str
    machine: Machine
    stores: Mapping[str, int]
    texts: Sequence[Text]

    @property
    def rows(self) -> list[Row]:
        samplings = list(dict.fromkeys(text.sampling for text in self.texts))
        return [self.row(sampling, store) for sampling in samplings for store in (PLAIN, *self.stores)]

    def row(self, sampling: str, store: str) -> Row:
        """The sums of one line of the table."""
        texts = [text for text in self.texts if text.sampling == sampling]
        timed = [text for text in texts if text.is_timed]
        runs, plain = ([text.written[name] for text in timed] for name in (store, PLAIN))
        tokens, passes = sum(len(run.tokens) for run in runs), sum(run.forwards or 0 for run in runs)
        decode_ms = sum(run.decode_ms for run in runs)
        return Row(
            sampling=sampling,
            store=store,
            store_tokens=self.stores.get(store, 0),
            texts=len(texts),
            looped=len(texts) - len(timed),
            tokens=tokens,
            ms_per_token=_ratio(decode_ms, tokens),
            tokens_per_pass=_ratio(tokens, passes),
            nodes_per_pass=_ratio(sum(run.drafted for run in runs), passes),
            retrieval_ms_per_token=_ratio(sum(sum(run.draft_ms) for run in runs), tokens),
            speedup=_ratio(sum(run.decode_ms for run in plain), decode_ms),
            pass_at_1=_ratio(sum(text.passed[store] for text in texts), len(texts)),
            differing_tokens=sum(_differing(text.written[store], text.written[PLAIN]) for text in texts),
        )

    @property
    def n_differing(self) -> int:
        return sum(row.differing_tokens for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "device": self.device,
            "dtype": self.dtype,
            "threads": self.threads,
            "budget": self.budget,
            "machine": self.machine.to_json(),
            "stores": dict(self.stores),
            "rows": [row.__dict__ for row in self.rows],
            "paper": [row._asdict() for row in PAPER],
            "texts": [_text_json(text, store) for text in self.texts for store in text.written],
        }


def print_humaneval(console: Console, report: HumanEvalReport) -> None:
    """Our rows, the paper's, and whether anything differs."""
    console.print(humaneval_table(report))
    console.print(f"Ours: {report.machine.label}. The paper's: CodeLlama 7B on an A6000, other texts and stores.")
    looped = sum(not text.is_timed for text in report.texts)
    if looped:
        console.print(
            f"{looped} of {len(report.texts)} texts repeat themselves; they count for equality, not for speed."
        )
    if report.n_differing:
        console.print(f"{report.n_differing} drafted tokens differ from plain decoding.", style="red")
    else:
        tokens = sum(len(run.tokens) for text in report.texts for run in text.written.values())
        console.print(f"All {tokens} tokens are those of plain decoding, greedy and sampled.", style="green")


def humaneval_table(report: HumanEvalReport) -> Table:
    where = f"{report.model} {report.dtype} on {report.device}, {report.threads} threads, {report.budget}"
    table = Table(
        title=f"HumanEval as plain continuation, {len({text.problem for text in report.texts})} problems: {where}",
        box=box.SIMPLE_HEAD,
        padding=(0, 0),
    )
    for column in ("sampling", "store"):
        table.add_column(column, no_wrap=True)
    for column in (
        "tokens",
        "ms\n/token",
        "tokens\n/pass",
        "nodes\n/pass",
        "retrieval\nms/token",
        "speed-up",
        "pass@1",
    ):
        table.add_column(column, justify="right", no_wrap=True)
    for row in report.rows:
        store = row.store if row.store == PLAIN else f"{row.store_tokens / 1e6:.1f} M tokens"
        table.add_row(
            row.sampling, store, str(row.tokens), f"{row.ms_per_token:.1f}",
            f"{row.tokens_per_pass:.2f}", f"{row.nodes_per_pass:.1f}", f"{row.retrieval_ms_per_token:.2f}",
            f"{row.speedup:.2f} ×", f"{row.pass_at_1:.1%}",
        )  # fmt: skip
    table.add_section()
    for paper in PAPER:
        retrieval = "–" if paper.retrieval_ms is None else f"{paper.retrieval_ms:.1f}"
        speedup = f"{paper.speedup:.2f} ×"
        table.add_row(
            paper.sampling,
            f"REST, {paper.store}",
            "",
            "",
            f"{paper.tokens_per_pass:.2f}",
            "64",
            retrieval,
            speedup,
            "",
        )
    return table


def _text_json(text: Text, store: str) -> dict[str, Any]:
    run = text.written[store]
    return {
        "problem": text.problem,
        "sampling": text.sampling,
        "store": store,
        "passed": text.passed[store],
        "tokens": len(run.tokens),
        "forwards": run.forwards,
        "accepted_by_source": dict(run.accepted),
        "drafted": run.drafted,
        "decode_ms": round(run.decode_ms, 3),
        "retrieval_ms": round(sum(run.draft_ms), 3),
        "stop": run.stop.value if run.stop else None,
    }


def _differing(run: Decoded, plain: Decoded) -> int:
    return max(len(run.tokens), len(plain.tokens)) - common_prefix(run.tokens, plain.tokens)


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else 0.0
