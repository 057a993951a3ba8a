"""What the server needs of everything below it: plain protocols, and the functions that open and examine things.

Nothing here imports torch; whoever starts the server decides when that happens.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.request import AS_SET, CompletionRequest, CompletionResult, Wishes
from rest_lsp.config import Settings
from rest_lsp.config_sources import Loaded
from rest_lsp.server.feedback import ProgressEvent

Progress = Callable[[ProgressEvent], None]


class CompletionService(Protocol):
    """Called in the engine's thread only."""

    def complete(
        self,
        request: CompletionRequest,
        cancel: CancelToken,
        wishes: Wishes = AS_SET,
        watch: Callable[[str], None] = lambda _: None,
    ) -> CompletionResult: ...
    def alternatives(
        self, request: CompletionRequest, known: Collection[str], cancel: CancelToken
    ) -> list[CompletionResult]: ...
    def prewarm(self, request: CompletionRequest, cancel: CancelToken) -> None: ...


class Datastore(Protocol):
    """Called in the indexer's and the buffers' threads."""

    def refresh(self, progress: Progress | None = None, cancel: CancelToken | None = None) -> object: ...
    def watch(self) -> None: ...
    def compare_soon(self) -> None: ...
    def set_buffer(self, path: str, ids: Sequence[int]) -> None: ...
    def drop_buffer(self, path: str) -> None: ...
    def admits(self, path: str) -> bool: ...
    def status(self) -> Any: ...


class Tokenizer(Protocol):
    def encode(self, text: str) -> list[int]: ...


class Summary(Protocol):
    def as_json(self) -> dict[str, object]: ...


class Stats(Protocol):
    """What completions cost and what drafting saved."""

    def summary(self) -> Summary: ...


class Removals(Protocol):
    """Text that edits removed; called in the event loop."""

    def removed(self, path: str, before: str, text: str) -> None: ...


class Session(Protocol):
    """A loaded model and the datastore of one workspace.  `apply`, `rest` and `wake` belong to the engine's thread."""

    @property
    def service(self) -> CompletionService: ...
    @property
    def datastore(self) -> Datastore | None: ...
    @property
    def tokenizer(self) -> Tokenizer: ...
    @property
    def stats(self) -> Stats: ...
    @property
    def deleted(self) -> Removals: ...
    def apply(self, settings: Settings, roots: Sequence[Path]) -> bool: ...
    def status(self) -> dict[str, Any]: ...
    @property
    def is_resting(self) -> bool: ...
    def rest(self, idle_s: float) -> None: ...
    def wake(self) -> None: ...
    def close(self) -> None: ...


class Finding(Protocol):
    """What one check of an examination found; `status` is "ok", "warn" or "fail"."""

    @property
    def name(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def fix(self) -> str: ...


LoadSettings = Callable[[Path | None, Mapping[str, Any]], Loaded]
"""Workspace folder and the editor's settings in; never raises."""

OpenSession = Callable[[Settings, Sequence[Path], Progress], Session]
"""For the folders of a workspace.  Blocks; raises RestLspError with a remedy.

What `Progress` raises ends it and must leave nothing behind.
"""


@dataclass(frozen=True)
class Backend:
    """The functions that the server is started with.

    fetch_model   makes the configured model ready to be opened, downloading and converting it where needed; blocks
    examine       every check of the installation, one after the other; blocks
    """

    load_settings: LoadSettings
    open_session: OpenSession
    fetch_model: Callable[[Settings, Progress], None]
    examine: Callable[[Loaded, Path | None], Iterable[Finding]]
