"""`rest-lsp bench through`: somebody types what was suggested, and every key asks the model all the same.

An editor is answered from what is remembered then; this is for the keys that do reach the model.  How many tokens does
a pass bring when the completion is known, and how much of the prompt does a key make the model read?
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median

from rich import box
from rich.console import Console
from rich.table import Table

from rest_lsp.assembly import build_service
from rest_lsp.assembly_costs import choose_budget
from rest_lsp.assembly_drafting import Drafting
from rest_lsp.assembly_experience import new_experience
from rest_lsp.bench.decode import Complete
from rest_lsp.bench.holes import Hole
from rest_lsp.bench.selection import select_projects
from rest_lsp.bench.session import tracked
from rest_lsp.bench.setup import Setup, bench_settings, from_nothing, open_setup
from rest_lsp.bench.summary import write_report
from rest_lsp.completion.request import CompletionResult
from rest_lsp.config import Settings

KEYS = 8
"""Characters that are typed of each completion."""

LEAST_LEFT = 24
"""Characters that are left to write behind the last key: with less there is nothing to save."""


@dataclass(frozen=True)
class ThroughOptions:
    """The options of the command, as they were given."""

    projects: str = "all"
    per_kind: int = 3
    seed: int = 1
    json: Path | None = None
    overrides: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Key:
    """One request; `read` are tokens of the prompt that the KV cache did not know."""

    project: str
    tokens: int
    forwards: int
    read: int
    decode_ms: float
    plain_ms: float
    agrees: bool


def run_through(options: ThroughOptions) -> bool:
    """Measure, print, and write what was asked for.  True when drafts changed no token."""
    settings = bench_settings(None, options.overrides, nodes=None)
    selections = select_projects(
        options.projects, kinds="block,body", per_kind=options.per_kind, seed=options.seed, limit=None,
        cache_dir=settings.model.cache_dir,
    )  # fmt: skip
    keys: list[Key] = []
    model = None
    for selection in selections:
        with open_setup(selection.workspace, settings, model) as setup:
            model = setup.model
            measured = typed_through(setup, settings, selection.holes)
            for of_hole in tracked(measured, selection, Console(stderr=True), "typed through"):
                keys += [replace(key, project=selection.name) for key in of_hole]
    print_keys(Console(), keys)
    if options.json:
        write_report(options.json, {"keys": [asdict(key) for key in keys]})
    return all(key.agrees for key in keys)


def typed_through(setup: Setup, settings: Settings, holes: Sequence[Hole]) -> Iterator[list[Key]]:
    """For each hole, the requests behind each of the first characters of what was suggested there."""
    drafting = Drafting(
        settings.drafting, setup.model.tokenizer, setup.datastore, choose_budget(settings, setup.engine),
        new_experience(settings.drafting),
    )  # fmt: skip
    service = build_service(settings, setup.model, drafting, recent=drafting.recent)
    drafted = from_nothing(service, None, drafting, warm=True)
    for hole in holes:
        setup.engine.forget()
        drafting.forget()
        suggested = drafted(hole.request)
        yield [] if len(suggested.text) < KEYS + LEAST_LEFT else list(_keys(hole, suggested, drafted, setup))


def _keys(hole: Hole, suggested: CompletionResult, drafted: Complete, setup: Setup) -> Iterator[Key]:
    request = hole.request
    for n in range(1, KEYS + 1):
        text = request.text[: request.offset] + suggested.text[:n] + request.text[request.offset :]
        typed = replace(request, text=text, offset=request.offset + n, version=n)
        result = drafted(typed)
        # Plainly only now, or the KV cache would know what the key brought.
        plain = setup.complete["plain"](replace(typed)) if n == KEYS else None
        if not result.tokens:
            continue
        yield Key(
            "", result.tokens, result.forwards, result.prompt_tokens - result.reused, result.decode_ms,
            plain.decode_ms if plain else 0.0, plain is None or plain.token_ids == result.token_ids,
        )  # fmt: skip


def print_keys(console: Console, keys: Sequence[Key]) -> None:
    """A row for each project, and one for all."""
    table = Table(title="Typing what was suggested, every key asking the model", box=box.SIMPLE_HEAD, padding=(0, 1))
    for name in ("", "keys", "tokens/pass", "read per key, median", "95 %", "most", "speed-up"):
        table.add_column(name, justify="left" if not name else "right")
    for project in [*dict.fromkeys(key.project for key in keys), "all"]:
        table.add_row(project, *_cells([key for key in keys if project in (key.project, "all")]))
    console.print(table)
    differing = sum(not key.agrees for key in keys)
    console.print(f"{differing} of the outputs that were also written plainly differ.")


def _cells(keys: Sequence[Key]) -> list[str]:
    read = sorted(key.read for key in keys)
    both = [key for key in keys if key.plain_ms]
    speedup = sum(key.plain_ms for key in both) / max(sum(key.decode_ms for key in both), 1e-9)
    return [
        str(len(keys)),
        f"{sum(key.tokens for key in keys) / max(1, sum(key.forwards for key in keys)):.2f}",
        f"{median(read):.0f}",
        str(read[int(0.95 * (len(read) - 1))]),
        str(read[-1]),
        f"{speedup:.2f} ×",
    ]
