"""`rest-lsp bench windows`: what it costs that editor windows share one process.

Three windows type at once; then one is asked alone and, in turns, while another one's large folder is indexed.  Memory
is compared with that of one server by itself.  The daemon is one of its own, in a runtime folder of its own.
"""

from __future__ import annotations

import os
import shutil
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

from rich.console import Console

from rest_lsp.bench.assistants import WindowAssistant
from rest_lsp.bench.holes import Hole
from rest_lsp.bench.keystroke_replay import KeyEvent, Replay
from rest_lsp.bench.keystrokes import KeystrokeOptions, check_measuring, functions_of
from rest_lsp.bench.machine import this_machine
from rest_lsp.bench.selection import Selection
from rest_lsp.bench.summary import write_report
from rest_lsp.bench.typist import Typist
from rest_lsp.bench.windows_report import Beside, Memory, Typing, WindowsReport, print_windows
from rest_lsp.cli_options import settings_for
from rest_lsp.daemon.address import RUNTIME_VARIABLE, Address, NoDaemon, runtime_address
from rest_lsp.daemon.joining import ask, await_end
from rest_lsp.errors import RestLspError
from rest_lsp.workspace import model_name

WINDOWS = 3
SHARED, ALONE = ("serve",), ("serve", "--in-process")
_SETTLE_S = 0.7
_PAUSE_S = 0.12
_END_S = 60.0


@dataclass(frozen=True)
class WindowsOptions:
    """The options of the command, as they were given.

    rounds   so often is a large folder indexed, and so many functions are typed beside it and alone
    folder   the large one
    """

    projects: str = "flask,requests,httpx"
    seconds: float = 60.0
    rounds: int = 12
    keys: int = 12
    cadence_ms: float = 200.0
    seed: int = 1
    folder: Path | None = None
    json: Path | None = None
    overrides: Mapping[str, object] = field(default_factory=dict)


def run_windows(options: WindowsOptions) -> None:
    """Type, index, print, and write what was asked for.  Raises RestLspError."""
    check_measuring()
    settings = settings_for(None, dict(options.overrides))
    limit = max(2, -(-options.rounds // WINDOWS))
    wanted = KeystrokeOptions(projects=options.projects, limit=limit, seed=options.seed, overrides=options.overrides)
    found = functions_of(wanted, settings)
    if not found:
        raise RestLspError("There is no function to type.", "Choose other projects with --projects.")
    with own_runtime() as (address, folder):
        bench = Bench(options, list(islice(cycle(found), WINDOWS)), folder)
        typing, shared = bench.type_together(SHARED, WINDOWS, address)
        beside = bench.beside_indexing()
        _, alone = bench.type_together(ALONE, 1, None)
        report = WindowsReport(model_name(settings), this_machine(), shared, alone, typing, beside, bench.starts_ms)
        print_windows(Console(), report)
        if options.json:
            write_report(options.json, report.to_json())


@contextmanager
def own_runtime() -> Iterator[tuple[Address, Path]]:
    """A daemon of the measurement's own, which ends with it; and a folder for indexes."""
    # Workers of indexes end a little after the daemon, and may still write.
    temporary = tempfile.TemporaryDirectory(prefix="rest-lsp-", ignore_cleanup_errors=True)
    with temporary as name, _runtime_folder(Path(name) / "run"):
        try:
            address = runtime_address()
        except NoDaemon as error:
            raise RestLspError(str(error)) from None
        try:
            yield address, Path(name)
        finally:
            if ask(address, "stop") is not None:
                await_end(address, _END_S)


@contextmanager
def _runtime_folder(folder: Path) -> Iterator[None]:
    before = os.environ.get(RUNTIME_VARIABLE)
    os.environ[RUNTIME_VARIABLE] = str(folder)
    try:
        yield
    finally:
        os.environ.pop(RUNTIME_VARIABLE)
        if before is not None:
            os.environ[RUNTIME_VARIABLE] = before


@dataclass(frozen=True)
class Bench:
    """What is measured with, and in which folder indexes are kept meanwhile.

    starts_ms   of each front that joined the daemon while nobody typed: until it had answered `initialize`
    """

    options: WindowsOptions
    selections: Sequence[Selection]
    folder: Path
    starts_ms: list[float] = field(default_factory=list)

    def type_together(
        self, command: Sequence[str], n_windows: int, address: Address | None
    ) -> tuple[list[Typing], Memory]:
        """So many windows at once; then the memory of all that runs for them."""
        with ExitStack() as stack:
            windows = [
                stack.enter_context(closing(self._window(command, selection)))
                for selection in self.selections[:n_windows]
            ]
            with ThreadPoolExecutor(n_windows) as pool:
                typing = list(pool.map(self._type, windows, self.selections))
            pids = [window.process.pid for window in windows]
            daemon = ask(address, "status") if address is not None else None
            return typing, Memory.of(pids if daemon is None else [*pids, daemon.pid])

    def beside_indexing(self) -> Beside:
        """Each function twice, alone and beside; which comes first changes from one time that it is typed to the next.

        The first of two finds less in the KV cache.
        """
        selection = self.selections[0]
        n_holes = len(selection.holes)
        alone: list[float] = []
        beside: list[float] = []
        with closing(self._window(SHARED, selection)) as window:
            for number in range(self.options.rounds):
                hole = selection.holes[number % n_holes]
                is_beside_first = (number + number // n_holes) % 2 == 1
                for is_beside in (is_beside_first, not is_beside_first):
                    mark = 2 * number + is_beside
                    if is_beside:
                        with self._indexing(number):
                            beside += self._latencies(window, selection, hole, mark)
                    else:
                        alone += self._latencies(window, selection, hole, mark)
        return Beside.of(alone, beside)

    def _window(self, command: Sequence[str], selection: Selection) -> WindowAssistant:
        files = sorted({f"/{hole.case.path}" for hole in selection.holes})
        options = {"datastore.exclude": files, "datastore.directory": str(self.folder / "indexes")}
        window = WindowAssistant(command, selection.workspace, self._options(options))
        window.process.wait_until_ready()
        return window

    def _options(self, more: Mapping[str, object]) -> dict[str, object]:
        """Indexes of libraries would be built at some time or other, and the record is the user's own."""
        less = {"datastore.packages": False, "datastore.standard_library": False, "history.enabled": False}
        return {**less, **self.options.overrides, **more}

    def _type(self, window: WindowAssistant, selection: Selection) -> Typing:
        start_s = time.perf_counter()
        replay = Replay("", window, self.options.cadence_ms / 1e3, self.options.seed, start_s, lambda _: None)
        events: list[KeyEvent] = []
        while time.perf_counter() - start_s < self.options.seconds:
            for event in replay.type_project(selection):
                events.append(event)
                if time.perf_counter() - start_s >= self.options.seconds:
                    break
        window.process.wait_until_ready()
        return Typing.of(selection.name, events)

    @contextmanager
    def _indexing(self, number: int) -> Iterator[None]:
        """Another window whose folder is being indexed from nothing.  Raises RestLspError when that ends too early."""
        folder = self._large(number)
        options = self._options({"datastore.directory": str(self.folder / f"index-{number}")})
        with closing(WindowAssistant(SHARED, folder, options)) as other:
            self.starts_ms.append(other.start_ms)
            while (state := other.process.ask("rest/status")["state"]) == "loading":
                time.sleep(0.05)
            if state == "indexing":
                yield
                state = other.process.ask("rest/status")["state"]
            if state != "indexing":
                source = self.options.folder or "The standard library"
                raise RestLspError(f"{source} was indexed before all was typed.", "Choose a larger --folder.")

    def _large(self, number: int) -> Path:
        """A copy of what is to be indexed: none that a daemon has seen, and outside of what a repository ignores."""
        copy = self.folder / f"large-{number}"
        source = self.options.folder or Path(sysconfig.get_path("stdlib"))
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("site-packages", "__pycache__", "*.so", ".git"))
        return copy

    def _latencies(self, window: WindowAssistant, selection: Selection, hole: Hole, mark: int) -> list[float]:
        """Milliseconds until each key's answer; `mark` stands above, so that no answer is known already."""
        head, _, line = hole.text[: hole.offset].rpartition("\n")
        before = f"{head}\n# {mark}\n{line}"
        typist = Typist(before, hole.text[hole.offset :], hole.truth)
        window.open(selection.workspace / hole.case.path, typist.text)
        time.sleep(_SETTLE_S)
        found: list[float] = []
        while len(found) < self.options.keys and not typist.is_done:
            edit = typist.next_edit()
            if edit is None:
                continue
            typist.apply(edit)
            version = window.edit(edit)
            asked_s = window.ask(typist.cursor)
            found.append(1e3 * (window.wait_for(version).at_s - asked_s))
            time.sleep(_PAUSE_S)
        return found
