"""`rest-lsp bench keystrokes`: real functions typed key by key through a real server, and what it was worth.

Behind the functions of a project arguments are added to calls in its lines, with code right of the cursor.  Arms run
one after the other with the same keys at the same times; a suggestion that is taken shortens the rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from rest_lsp.assembly import load_model
from rest_lsp.bench.assistants import BareAssistant, ServerAssistant
from rest_lsp.bench.bare_model import BareModel
from rest_lsp.bench.keystroke_plot import write_keystroke_plot
from rest_lsp.bench.keystroke_replay import KeyEvent, Replay
from rest_lsp.bench.keystroke_report import BARE, OURS, ArmFigures, KeystrokeReport
from rest_lsp.bench.keystroke_table import print_keystrokes
from rest_lsp.bench.machine import this_machine
from rest_lsp.bench.mid_line import mid_line_holes
from rest_lsp.bench.plot import check_plotting
from rest_lsp.bench.recorded import RECORDED, replay_recording
from rest_lsp.bench.selection import Selection, select_projects
from rest_lsp.bench.server_outcomes import Judged
from rest_lsp.bench.storm import storm
from rest_lsp.bench.summary import write_report
from rest_lsp.cli_options import settings_for
from rest_lsp.cli_terminal import progress_bars
from rest_lsp.completion.rhythm import LONGEST_S
from rest_lsp.config import Settings
from rest_lsp.errors import RestLspError
from rest_lsp.workspace import model_name

PROJECTS = "flask,requests,werkzeug,httpx"
MIN_CHARACTERS, MAX_CHARACTERS = 80, 700
_MEMORY_EVERY = 25


@dataclass(frozen=True)
class KeystrokeOptions:
    """The options of the command, as they were given."""

    projects: str = PROJECTS
    limit: int = 3
    mid_line: int = 6
    keys: int | None = None
    arms: str = f"{OURS},{BARE}"
    cadence_ms: float = 200.0
    seed: int = 1
    recording: Path | None = None
    json: Path | None = None
    plot: Path | None = None
    overrides: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Workload:
    """What is typed in one project, first the bodies of functions; `mid_line` in the same files and the same server."""

    bodies: Selection
    mid_line: Selection


@dataclass
class Course:
    """What has been typed so far."""

    options: KeystrokeOptions
    settings: Settings
    events: list[KeyEvent] = field(default_factory=list)

    def take(self, events: Iterable[KeyEvent]) -> bool:
        """Until as many keys as are wanted have been pressed; False then."""
        for event in events:
            self.events.append(event)
            if self.options.keys is not None and len(self.events) >= self.options.keys:
                return False
        return True


def run_keystrokes(options: KeystrokeOptions) -> None:
    """Type, print, and write what was asked for."""
    if options.plot:
        check_plotting()
    check_measuring()
    settings = settings_for(None, dict(options.overrides))
    if options.recording is not None:
        events, recorded = replay_recording(options.recording, options.overrides)
        figures = {RECORDED: recorded}
    else:
        events, figures = run_arms(options, settings)
    name = model_name(settings)
    report = KeystrokeReport(name, this_machine(), options.cadence_ms, options.seed, events, figures)
    print_keystrokes(Console(), report)
    if options.json:
        write_report(options.json, report.to_json())
    if options.plot:
        write_keystroke_plot(options.plot, report)


def run_arms(options: KeystrokeOptions, settings: Settings) -> tuple[list[KeyEvent], dict[str, ArmFigures]]:
    """Each arm with the same functions."""
    arms, workloads = parse_arms(options.arms), workloads_of(options, settings)
    events: list[KeyEvent] = []
    figures: dict[str, ArmFigures] = {}
    run_of: dict[str, Callable[[Course, Sequence[Workload]], ArmFigures]] = {OURS: run_ours, BARE: run_bare}
    for arm in arms:
        course = Course(options, settings)
        figures[arm] = run_of[arm](course, workloads)
        events += course.events
    return events, figures


def check_measuring() -> None:
    """Raises RestLspError when psutil is missing, before anything is typed."""
    if find_spec("psutil") is None:
        raise RestLspError("Watching the server's memory needs psutil.", 'Install it: pip install "rest-lsp[bench]".')


def workloads_of(options: KeystrokeOptions, settings: Settings) -> list[Workload]:
    """Until a number of keys has been typed there are only bodies, again and again."""
    n_mid_line = options.mid_line if options.keys is None else 0
    return [Workload(bodies, mid_line_holes(bodies, n_mid_line)) for bodies in functions_of(options, settings)]


def functions_of(options: KeystrokeOptions, settings: Settings) -> list[Selection]:
    """In each project `limit` bodies of functions of usual length, no two overlapping."""
    found = select_projects(
        options.projects, kinds="body", per_kind=40 * options.limit, seed=options.seed, limit=None,
        cache_dir=settings.model.cache_dir,
    )  # fmt: skip
    usual = [
        replace(selection, holes=[hole for hole in selection.holes if is_usual(hole.truth)][: options.limit])
        for selection in found
    ]
    return [selection for selection in usual if selection.holes]


def is_usual(truth: str) -> bool:
    return MIN_CHARACTERS <= len(truth) <= MAX_CHARACTERS and not {"\t", "\r"} & {*truth}


def run_ours(course: Course, workloads: Sequence[Workload]) -> ArmFigures:
    """A server per project, since a workspace belongs to it; of the last one the storm and the memory are reported."""
    figures = ArmFigures()
    start_s = time.perf_counter()
    for workload in workloads:
        bodies = workload.bodies
        assistant = ServerAssistant(bodies.workspace, server_options(course.options, bodies))
        try:
            first, memory = len(course.events), list[tuple[int, int]]()
            goes_on = course.take(shown_events(assistant, bodies, course, start_s, memory))
            figures = after_bodies(figures, assistant, memory)
            course.take(typed(OURS, assistant, workload.mid_line, course, start_s, is_mid_line=True))
            judged(course.events[first:], assistant.outcomes())
            if workload is workloads[-1] or not goes_on:
                figures = replace(figures, storm=storm(assistant.process, bodies))
        finally:
            assistant.close()
        if not goes_on:
            break
    return figures


def after_bodies(figures: ArmFigures, assistant: ServerAssistant, memory: Sequence[tuple[int, int]]) -> ArmFigures:
    """With what this server's model has done so far; the longest record of memory is kept."""
    stats, before = assistant.stats(), assistant.before["engine"]
    engine = stats["engine"]
    model_ms = {
        name: figures.model_ms.get(name, 0.0) + engine[f"{name}_ms"] - before[f"{name}_ms"]
        for name in ("answers", "given_up", "ahead")
    }
    memory = memory if len(memory) >= len(figures.memory) else figures.memory
    return replace(figures, model_ms=model_ms, memory=memory).of_server(stats)


def shown_events(
    assistant: ServerAssistant, selection: Selection, course: Course, start_s: float, memory: list[tuple[int, int]]
) -> Iterator[KeyEvent]:
    """The keys of one project, again and again when a number of keys is wanted; memory is noted beside."""
    import psutil

    process = psutil.Process(assistant.process.pid)
    n_keys = 0

    def note(_event: KeyEvent) -> None:
        nonlocal n_keys
        n_keys += 1
        if n_keys % _MEMORY_EVERY == 0:
            memory.append((n_keys, process.memory_info().rss))

    yield from typed(OURS, assistant, selection, course, start_s, on_key=note)


def run_bare(course: Course, workloads: Sequence[Workload]) -> ArmFigures:
    """The model in this process; what it worked is of the bodies, which come first."""
    with progress_bars() as progress:
        model = load_model(course.settings, progress)
    assistant = BareAssistant(BareModel(model, course.settings.completion).write, LONGEST_S)
    start_s = time.perf_counter()
    try:
        for workload in workloads:
            if not course.take(typed(BARE, assistant, workload.bodies, course, start_s)):
                break
        model_ms = {"answers": 1e3 * assistant.answers_s, "given_up": 1e3 * assistant.given_up_s}
        for workload in workloads:
            course.take(typed(BARE, assistant, workload.mid_line, course, start_s, is_mid_line=True))
    finally:
        assistant.close()
    for event in course.events:
        event.source = "model"
    return ArmFigures(model_ms=model_ms)


def typed(
    arm: str, assistant: ServerAssistant | BareAssistant, selection: Selection, course: Course, start_s: float, *,
    on_key: Callable[[KeyEvent], None] = lambda _event: None, is_mid_line: bool = False,
) -> Iterator[KeyEvent]:  # fmt: skip
    """With a bar on the terminal."""
    options = course.options
    replay = Replay(arm, assistant, options.cadence_ms / 1e3, options.seed, start_s, on_key, is_mid_line)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(f"{arm}: {selection.name}, keys", total=sum(len(h.truth) for h in selection.holes))
        while True:
            for event in replay.type_project(selection):
                progress.advance(bar, 1 + event.n_saved)
                yield event
            if options.keys is None or arm != OURS or not selection.holes:
                return


def judged(events: Iterable[KeyEvent], outcomes: Mapping[int, Judged]) -> None:
    """Who answered each key, by the server's own word."""
    for event in events:
        found = outcomes.get(event.version)
        event.source = found.source if found is not None else "rule"


def server_options(options: KeystrokeOptions, selection: Selection) -> dict[str, object]:
    """As an editor would send them.  The saved copies of the files that are typed into stay out of the index."""
    files = sorted({f"/{hole.case.path}" for hole in selection.holes})
    return {**options.overrides, "datastore.exclude": files}


def parse_arms(text: str) -> list[str]:
    """Names of arms with commas.  Raises RestLspError."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in (OURS, BARE):
            raise RestLspError(f"There is no arm {name!r}.", f"Choose among {OURS}, {BARE} with --arms.")
    return names
