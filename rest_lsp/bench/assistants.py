"""Who helps a typist: the language server over its pipes, or the bare model.  Both see the same edits.

A suggestion is asked for after each edit; the newest request wins.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from rest_lsp.bench.lsp_process import Answer, LspProcess
from rest_lsp.bench.server_outcomes import Judged, read_outcomes
from rest_lsp.bench.typist import Edit
from rest_lsp.cancellation import CancelToken
from rest_lsp.errors import Cancelled
from rest_lsp.languages import language_of
from rest_lsp.positions import Position, TextPositions

AUTOMATIC = 2
_STATS = {"command": "rest.stats", "arguments": []}


class Shown(NamedTuple):
    """`text` in place of the document's characters from `start` to `end`."""

    text: str
    start: int
    end: int


class Reply(NamedTuple):
    """What came for a request, and when; `shown` is None for nothing to say or for an answer that came too late."""

    at_s: float
    shown: Shown | None
    is_superseded: bool
    error: str | None


class Assistant(Protocol):
    """Is told of a document and its edits, one by one.  A version numbers each of them."""

    def open(self, path: Path, text: str) -> None: ...
    def edit(self, edit: Edit) -> int: ...
    def ask(self, cursor: int) -> float:
        """Ask for the version that stands; returns when."""
        ...

    def reply(self, version: int) -> Reply | None:
        """What has come for the request at this version."""
        ...

    def close(self) -> None: ...


class WindowAssistant:
    """A window of an editor, and the server that it starts by `command`, which was there after `start_ms`."""

    def __init__(self, command: Sequence[str], root: Path, options: Mapping[str, object]) -> None:
        start_s = time.perf_counter()
        self.process = LspProcess([sys.executable, "-m", "rest_lsp", *command])
        self.process.ask(
            "initialize",
            {"processId": None, "clientInfo": {"name": "rest-lsp bench"}, "rootUri": root.as_uri(),
             "capabilities": {"general": {"positionEncodings": ["utf-16"]}}, "initializationOptions": dict(options)},
        )  # fmt: skip
        self.start_ms = 1e3 * (time.perf_counter() - start_s)
        self.process.notify("initialized", {})
        self._uri, self._text, self._version = "", "", 0
        self._requests: dict[int, tuple[int, str]] = {}

    def open(self, path: Path, text: str) -> None:
        if self._uri:
            self.process.notify("textDocument/didClose", {"textDocument": {"uri": self._uri}})
        self._uri, self._text, self._version = path.as_uri(), text, self._version + 1
        language = language_of(path.name)
        document = {"uri": self._uri, "languageId": language, "version": self._version, "text": text}
        self.process.notify("textDocument/didOpen", {"textDocument": document})
        self._requests.clear()

    def edit(self, edit: Edit) -> int:
        positions = TextPositions(self._text)
        place = {
            "start": positions.position(edit.start)._asdict(),
            "end": positions.position(edit.end)._asdict(),
        }
        self._text = self._text[: edit.start] + edit.text + self._text[edit.end :]
        self._version += 1
        document = {"uri": self._uri, "version": self._version}
        changes = [{"range": place, "text": edit.text}]
        self.process.notify("textDocument/didChange", {"textDocument": document, "contentChanges": changes})
        return self._version

    def ask(self, cursor: int) -> float:
        """The request before is cancelled, as editors do."""
        former = self._requests.get(self._version - 1)
        if former is not None and self.process.answer(former[0]) is None:
            self.process.notify("$/cancelRequest", {"id": former[0]})
        position = TextPositions(self._text).position(cursor)._asdict()
        params = {
            "textDocument": {"uri": self._uri},
            "position": position,
            "context": {"triggerKind": AUTOMATIC},
        }
        at_s = time.perf_counter()
        number = self.process.post("textDocument/inlineCompletion", params)
        self._requests[self._version] = number, self._text
        return at_s

    def reply(self, version: int) -> Reply | None:
        asked = self._requests.get(version)
        answer = self.process.answer(asked[0]) if asked is not None else None
        if asked is None or answer is None:
            return None
        is_cancelled = answer.error is not None and answer.error.get("code") == -32800
        error = str(answer.error.get("message")) if answer.error is not None and not is_cancelled else None
        items: list[dict[str, Any]] = answer.result or []
        shown = _shown(items[0], asked[1]) if items else None
        return Reply(answer.at_s, shown, is_cancelled or (answer.result is None and error is None), error)

    def wait_for(self, version: int) -> Answer:
        """The answer to the request at this version.  Raises RestLspError when none comes."""
        return self.process.wait_for(self._requests[version][0])

    def close(self) -> None:
        self.process.__exit__(None, None, None)


class ServerAssistant(WindowAssistant):
    """`rest-lsp record` as an editor would run it.  `outcomes` tells, in the end, which keys reached the model."""

    def __init__(self, root: Path, options: Mapping[str, object]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="rest-lsp-bench-")
        self._recording = Path(self._folder.name) / "session.jsonl"
        super().__init__(["record", str(self._recording)], root, options)
        self.status = self.process.wait_until_ready()
        self.before = self.stats()

    def stats(self) -> dict[str, Any]:
        found: dict[str, Any] = self.process.ask("workspace/executeCommand", _STATS)
        return found

    def outcomes(self) -> Mapping[int, Judged]:
        """By version: no two documents had the same."""
        return {version: judged for (_, version), judged in read_outcomes(self._recording).items()}

    def close(self) -> None:
        super().close()
        self._folder.cleanup()


def _shown(item: Mapping[str, Any], text: str) -> Shown:
    positions = TextPositions(text)
    start, end = (
        positions.offset(Position(item["range"][side]["line"], item["range"][side]["character"]))
        for side in ("start", "end")
    )
    return Shown(item["insertText"], start, end)


Write = Callable[[str, int, CancelToken], str]
"""Document and cursor in, the text to insert out; raises Cancelled."""


class BareAssistant:
    """A model that is asked behind every pause and knows nothing of what it said before."""

    def __init__(self, write: Write, pause_s: float) -> None:
        self._write, self._pause_s = write, pause_s
        self._text, self._version = "", 0
        self._wanted: _Wanted | None = None
        self._replies: dict[int, Reply] = {}
        self._changed = threading.Condition()
        self._is_closed = False
        self.answers_s = self.given_up_s = 0.0
        self._thread = threading.Thread(target=self._run, name="bench-bare-model", daemon=True)
        self._thread.start()

    def open(self, path: Path, text: str) -> None:
        with self._changed:
            self._give_up()
            self._text = text
            self._version += 1
            self._replies.clear()

    def edit(self, edit: Edit) -> int:
        with self._changed:
            self._give_up()
            self._text = self._text[: edit.start] + edit.text + self._text[edit.end :]
            self._version += 1
            return self._version

    def ask(self, cursor: int) -> float:
        with self._changed:
            at_s = time.perf_counter()
            self._wanted = _Wanted(self._version, self._text, cursor, at_s + self._pause_s, CancelToken())
            self._changed.notify_all()
        return at_s

    def reply(self, version: int) -> Reply | None:
        with self._changed:
            return self._replies.get(version)

    def close(self) -> None:
        with self._changed:
            self._give_up()
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join()

    def _give_up(self) -> None:
        if self._wanted is not None:
            self._wanted.cancel.cancel()
            self._wanted = None

    def _run(self) -> None:
        while (wanted := self._next()) is not None:
            start_s = time.perf_counter()
            try:
                written = self._write(wanted.text, wanted.cursor, wanted.cancel)
            except Cancelled:
                self.given_up_s += time.perf_counter() - start_s
                continue
            end_s = time.perf_counter()
            self.answers_s += end_s - start_s
            shown = Shown(written, wanted.cursor, wanted.cursor) if written else None
            with self._changed:
                if self._wanted is wanted:
                    self._replies[wanted.version] = Reply(end_s, shown, is_superseded=False, error=None)
                    self._wanted = None

    def _next(self) -> _Wanted | None:
        """The newest request, once nothing newer has come for the length of a pause; None in the end."""
        with self._changed:
            while not self._is_closed:
                wanted = self._wanted
                left_s = None if wanted is None else wanted.due_s - time.perf_counter()
                if wanted is not None and left_s is not None and left_s <= 0:
                    return wanted
                self._changed.wait(left_s)
        return None


@dataclass(frozen=True)
class _Wanted:
    version: int
    text: str
    cursor: int
    due_s: float
    cancel: CancelToken
