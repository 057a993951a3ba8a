"""`rest-lsp bench quality`: the same questions to the model by itself and to the completion service.

Every verdict is kept in a file at once, so that a run can be cut and go on; arms take turns case by case, so that what
is there can be compared at any time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rest_lsp.assembly import LoadedModel, load_model
from rest_lsp.bench.decode import Complete
from rest_lsp.bench.machine import this_machine
from rest_lsp.bench.plot import check_plotting
from rest_lsp.bench.quality_arms import INT8, POST, RAW, USUAL_ARMS, Answer, Arm, Ours
from rest_lsp.bench.quality_cases import PROJECTS, SETS, QualityCase, parse_sets, quality_cases
from rest_lsp.bench.quality_judge import check_judging, judge
from rest_lsp.bench.quality_kept import KeptVerdicts
from rest_lsp.bench.quality_plot import write_quality_plot
from rest_lsp.bench.quality_report import QualityReport, print_quality
from rest_lsp.bench.raw_model import RawModel
from rest_lsp.bench.setup import bench_settings, drafted, open_setup
from rest_lsp.bench.summary import write_report
from rest_lsp.cli_terminal import progress_bars
from rest_lsp.completion.multiline import Mode
from rest_lsp.config import Settings
from rest_lsp.datastore.datastore import Datastore
from rest_lsp.errors import RestLspError
from rest_lsp.models.store import open_source
from rest_lsp.workspace import model_name, model_store

TELLING_OPTIONS = ("max_tokens_single", "max_tokens_multi", "prompt_tokens", "anchor_lines", "temperature")


@dataclass(frozen=True)
class QualityOptions:
    """The options of the command, as they were given."""

    sets: str = ",".join(SETS)
    arms: str = ",".join(USUAL_ARMS)
    projects: str = PROJECTS
    limit: int | None = None
    results: Path | None = None
    report_only: bool = False
    json: Path | None = None
    plot: Path | None = None
    overrides: Mapping[str, object] = field(default_factory=dict)


def run_quality(options: QualityOptions) -> None:
    """Ask what has not been answered yet, print, and write what was asked for."""
    check_judging()
    if options.plot:
        check_plotting()
    settings = bench_settings(None, options.overrides, nodes=None)
    sets, arms = parse_sets(options.sets), parse_arms(options.arms)
    cases = quality_cases(sets, options.projects, options.limit, settings.model.cache_dir)
    kept = KeptVerdicts(results_path(options, settings), subject_of(settings))
    if not options.report_only:
        ask_all(cases, arms, kept, settings)
    wanted = {case.id for case in cases}
    found = [verdict for verdict in kept.rows if verdict.id in wanted and verdict.arm in arms]
    report = QualityReport(model_name(settings), this_machine(), found)
    print_quality(Console(), report)
    if options.json:
        write_report(options.json, report.to_json())
    if options.plot:
        write_quality_plot(options.plot, report)


def ask_all(cases: Sequence[QualityCase], arms: list[str], kept: KeptVerdicts, settings: Settings) -> None:
    """Group by group: the cases of one share a workspace, and prompts that begin alike."""
    open_cases = [case for case in cases if kept.missing(case.id, arms)]
    if not open_cases:
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with load_arms(arms, settings) as models, Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("quality", total=len(cases), completed=len(cases) - len(open_cases))
        for workspace, group in groupby(open_cases, key=lambda case: case.workspace):
            with models.in_workspace(workspace) as ours:
                for case in group:
                    ask(case, kept.missing(case.id, arms), models.raw, ours, kept)
                    progress.advance(bar)


def ask(
    case: QualityCase, arms: Sequence[str], raw: RawModel | None, ours: Mapping[str, Ours], kept: KeptVerdicts
) -> None:
    """One case to those `arms` that have not answered; the answer of INT8 is a guess at that of RAW."""
    if {INT8, POST} & {*arms}:
        for arm, answer in ours[""].answers(case).items():
            if arm in arms:
                kept.add(judge(case, arm, answer))
    if RAW in arms and raw is not None:
        text, n_tokens = raw.answer(case, guess=kept.text(case.id, INT8))
        kept.add(judge(case, RAW, Answer(text, case.offset, n_tokens, ms=0.0)))
    for arm in arms:
        if Arm.parse(arm).is_variant:
            kept.add(judge(case, arm, ours[arm].answers(case)[POST]))


@dataclass(frozen=True)
class Models:
    """What the wanted arms need, loaded once."""

    settings: Settings
    by_arm: Mapping[str, Settings]
    raw: RawModel | None
    model: LoadedModel

    @contextmanager
    def in_workspace(self, workspace: Path | None) -> Iterator[Mapping[str, Ours]]:
        """Ours with the index of `workspace`, or of an empty folder: by variant, "" as it is."""
        with ExitStack() as stack:
            root = workspace or Path(stack.enter_context(tempfile.TemporaryDirectory()))
            index = stack.enter_context(open_setup(root, self.settings, self.model)).datastore
            modes: tuple[Mode, ...] = get_args(Mode)
            yield {
                arm: Ours({mode: self._complete(arm, index, in_mode(own, mode)) for mode in modes})
                for arm, own in self.by_arm.items()
            }

    def _complete(self, arm: str, index: Datastore, settings: Settings) -> Complete:
        heals = not arm or Arm.parse(arm).heals
        return drafted(self.model, index, settings, empties=False, heals=heals)


@contextmanager
def load_arms(arms: Sequence[str], settings: Settings) -> Iterator[Models]:
    """Ours, and the model by itself where it is wanted."""
    by_arm = {arm: as_arm(settings, Arm.parse(arm)) for arm in arms if Arm.parse(arm).is_variant}
    by_arm[""] = as_arm(settings, Arm(POST))
    with progress_bars() as progress:
        # The largest context says how large the KV cache must be.
        largest = max(by_arm.values(), key=lambda own: own.completion.context_tokens)
        model = load_model(largest, progress)
        raw = load_raw(settings, model) if RAW in arms else None
    yield Models(settings, by_arm, raw, model)


def load_raw(settings: Settings, model: LoadedModel) -> RawModel:
    """From the file or folder that ours was converted from.  Raises RestLspError."""
    original = model_store(settings).path(model_name(settings))
    if original is None:
        raise RestLspError(
            f"The file of the model {model_name(settings)} is not here any more.", "Pull it, or leave out the arm raw."
        )
    return RawModel.load(open_source(original), model.tokenizer, settings.completion)


def as_arm(settings: Settings, arm: Arm) -> Settings:
    """The settings that a variant asks for."""
    chosen: dict[str, object] = {"context_tokens": arm.tokens, "context_kinds": arm.kinds}
    if arm.lines is not None:
        chosen["anchor_lines"] = arm.lines
    return settings.model_copy(update={"completion": settings.completion.model_copy(update=chosen)})


def in_mode(settings: Settings, mode: Mode) -> Settings:
    completion = settings.completion.model_copy(update={"multiline": mode})
    return settings.model_copy(update={"completion": completion})


def parse_arms(text: str) -> list[str]:
    """Names of arms with commas.  Raises RestLspError."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        Arm.parse(name)
    return names


def results_path(options: QualityOptions, settings: Settings) -> Path:
    """Where verdicts are kept: where the options say, else in the cache folder by the model's name."""
    name = model_name(settings).replace("/", "_")
    return options.results or settings.model.cache_dir / "quality" / f"{name}.jsonl"


def subject_of(settings: Settings) -> dict[str, object]:
    """What would give other answers, as far as it is chosen; the code itself is not among it."""
    completion = settings.completion.model_dump(mode="json", include=set(TELLING_OPTIONS))
    return {"model": model_name(settings), "dtype": settings.device.dtype, **completion}
