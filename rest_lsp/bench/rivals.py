"""Who is measured side by side: our decoding, other rules in our engine, and other programs with the same weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rest_lsp.assembly_costs import choose_budget
from rest_lsp.assembly_drafting import Drafting
from rest_lsp.assembly_experience import new_experience
from rest_lsp.bench import rival_transformers
from rest_lsp.bench.direct import Decoded, Task, decode_task
from rest_lsp.bench.rival_llama_cpp import LlamaCpp
from rest_lsp.bench.rival_rules import LongestMatchRule, SuffixRule
from rest_lsp.bench.setup import Setup
from rest_lsp.config import Settings
from rest_lsp.drafting.datastore_source import DatastoreSource
from rest_lsp.drafting.document_source import DocumentSource
from rest_lsp.drafting.drafter import Drafter, NoDrafter
from rest_lsp.drafting.source import DraftSource
from rest_lsp.drafting.traits import REPOSITORY
from rest_lsp.errors import RestLspError
from rest_lsp.models.store import open_source
from rest_lsp.workspace import model_name, model_store

OURS, OURS_PLAIN = "rest-lsp", "rest-lsp, plain"
RETRIEVED = 64
"""Places that a rival's rule looks at; where there are more they are sampled evenly, and count for those left out."""


class Rival(Protocol):
    """Continues prompts, greedily.  `settings` says with what options, `plain_name` who shows what drafts save it."""

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> str: ...

    @property
    def plain_name(self) -> str: ...

    def run(self, task: Task) -> Decoded: ...


@dataclass(frozen=True)
class EngineRival:
    """A way to draft, in our engine."""

    name: str
    settings: str
    setup: Setup
    drafter_of: Callable[[Task], Drafter]
    plain_name: str = OURS_PLAIN

    def run(self, task: Task) -> Decoded:
        return decode_task(self.setup.model.engine, task, self.drafter_of(task))


def find_rivals(setup: Setup, settings: Settings, wanted: str, closing: ExitStack) -> list[Rival]:
    """Ours, ours plain, and every rival whose name begins with one of `wanted` (names with commas; "all").

    With `closing` other programs end.
    """
    prefixes = [name.strip() for name in wanted.split(",") if name.strip()]
    chosen: list[Rival] = list(in_our_engine(setup, settings))
    if _wanted("llama.cpp", prefixes):
        program = LlamaCpp(
            original_file(settings), setup.model.tokenizer, threads=setup.engine.info.threads,
            context=setup.engine.capacity,
        )  # fmt: skip
        closing.callback(program.close)
        chosen += program.rivals()
    forms = [form for form in rival_transformers.FORMS if _wanted(f"transformers {form}", prefixes)]
    if forms:
        chosen += rival_transformers.rivals(open_source(original_file(settings)), forms)
    found = [rival for rival in chosen if rival.name in (OURS, OURS_PLAIN) or _matches(rival.name, prefixes)]
    if len(found) < 3:
        raise RestLspError(
            f"There is no peer {wanted!r}.", "Name REST, SuffixDecoding, llama.cpp, transformers or all."
        )
    return _with_plain(found, chosen)


def in_our_engine(setup: Setup, settings: Settings) -> Iterator[EngineRival]:
    """Plain, ours, and the published rules, all on the same repository and document."""

    def sources(task: Task, *, with_document: bool) -> Sequence[DraftSource]:
        path, prompt = task.request.path or "", task.prompt
        repository = DatastoreSource(setup.datastore, lambda _: REPOSITORY, exclude=path, limit=RETRIEVED)
        after = setup.model.tokenizer.encode(task.request.text[task.request.offset :])
        before = setup.model.tokenizer.encode(task.request.text[: task.request.offset])
        known = [*before[: max(0, len(before) - len(prompt.context_ids))], *prompt.context_ids]
        document = DocumentSource(path, known, after, n_known=len(prompt.context_ids))
        return [repository, document] if with_document else [repository]

    yield EngineRival(OURS_PLAIN, "no drafts", setup, lambda _task: NoDrafter())
    yield EngineRival(OURS, _budget_in_words(settings), setup, our_drafter(setup, settings))
    yield EngineRival(
        "REST", "longest match in the repository, 64 nodes", setup,
        lambda task: LongestMatchRule(sources(task, with_document=False), nodes=64),
    )  # fmt: skip
    for nodes in (64, 8):
        yield EngineRival(
            f"REST with the document, {nodes} nodes", "longest match in repository and document", setup,
            lambda task, nodes=nodes: LongestMatchRule(sources(task, with_document=True), nodes=nodes),  # type: ignore[misc]
        )  # fmt: skip
    yield EngineRival(
        "SuffixDecoding", "factor 1, path probability .1", setup,
        lambda task: SuffixRule(sources(task, with_document=True)),
    )  # fmt: skip


def our_drafter(setup: Setup, settings: Settings) -> Callable[[Task], Drafter]:
    """Ours for each task, as completions get it, but without history."""
    options = settings.drafting
    budget = choose_budget(settings, setup.engine)
    drafting = Drafting(options, setup.model.tokenizer, setup.datastore, budget, new_experience(options))

    def drafter_of(task: Task) -> Drafter:
        drafting.forget()
        return drafting(task.request, task.prompt)

    return drafter_of


def original_file(settings: Settings) -> Path:
    """The file that our weights were converted from."""
    name = model_name(settings)
    path = model_store(settings).path(name)
    if path is None or path.suffix != ".gguf":
        raise RestLspError(f"The model {name} has no GGUF file that other programs could read.", "Choose another one.")
    return path


def _budget_in_words(settings: Settings) -> str:
    nodes = settings.drafting.fixed_nodes
    return f"{nodes} nodes" if nodes else "nodes by the cost model"


def _wanted(group: str, prefixes: Iterable[str]) -> bool:
    return any(name == "all" or group.startswith(name) or name.startswith(group) for name in prefixes)


def _matches(name: str, prefixes: Iterable[str]) -> bool:
    return any(prefix in ("all", name[: len(prefix)]) for prefix in prefixes)


def _with_plain(found: Sequence[Rival], all_rivals: Sequence[Rival]) -> list[Rival]:
    """Those that were chosen and, before them, what each is compared with."""
    needed = {rival.plain_name for rival in found} | {rival.name for rival in found}
    return [rival for rival in all_rivals if rival.name in needed]
