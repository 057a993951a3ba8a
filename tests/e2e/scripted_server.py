"""A language server of a few lines that speaks the editor contract: suggests `phrases`, knows every command, remembers.

`--delays` makes answers late by chance of a fixed seed; `--encoding` is how it counts columns; `--without-commands`
makes it an old server.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import threading
from typing import Any

from tests.e2e.lsp_client import frame
from tests.e2e.phrases import N_CHOICES, suggest

MOST_DELAY_S = 0.03
RESULTS: dict[str, Any] = {
    "rest.stats": {"outcomes": {"returned": 3}, "costs": None},
    "rest.reindex": {"started": True},
    "rest.explainLast": {
        "tokens": 7,
        "forwards": 3,
        "accepted": 4,
        "wait_ms": 12.5,
        "sources": [
            {"path": "other.py", "uri": None, "line": 1, "tokens": 3},
            {"path": "one.py", "line": 0, "tokens": 1},
        ],
    },
    "rest.debugInfo": {"python": "3.11", "log": ["a line"]},
    "rest.doctor": [
        {"name": "model", "state": "ok", "text": "It is here.", "fix": None},
        {"name": "disk", "state": "failed", "text": "It is full.", "fix": "Make room."},
    ],
    "rest.models": [
        {
            "name": "small",
            "description": "For laptops.",
            "bytes": 5e8,
            "present": True,
            "fits": True,
            "note": None,
            "current": True,
        },
        {
            "name": "large",
            "description": "For a GPU.",
            "bytes": 1e9,
            "present": False,
            "fits": None,
            "note": "slow",
            "current": False,
        },
    ],
    "rest.chooseModel": {"started": True},
    "rest.accepted": None,
}
COMMANDS = (*RESULTS, "rest.toggle", "rest.snooze")


class ScriptedServer:
    def __init__(self, encoding: str, delays: bool, commands: tuple[str, ...]) -> None:
        self._encoding = encoding
        self._delays = random.Random(1) if delays else None
        self._commands = commands
        self._lines: dict[str, list[str]] = {}
        self._received: list[dict[str, Any]] = []
        self._newest: dict[str, int] = {}
        self._writing = threading.Lock()
        self._disabled: list[str] = []
        self._enabled = True
        self._ids = 0
        self._muted = False

    def run(self) -> None:
        while True:
            length = 0
            while line := sys.stdin.buffer.readline().strip():
                length = int(line.partition(b":")[2])
            if not length:
                return
            self._take(json.loads(sys.stdin.buffer.read(length)))

    def _take(self, message: dict[str, Any]) -> None:
        method, params = message.get("method"), message.get("params") or {}
        self._received.append({"method": method, "params": params})
        if method == "exit":
            os._exit(0)
        elif method == "textDocument/didOpen":
            self._lines[params["textDocument"]["uri"]] = params["textDocument"]["text"].split("\n")
        elif method == "textDocument/didChange":
            self._lines[params["textDocument"]["uri"]] = params["contentChanges"][-1]["text"].split("\n")
        elif method == "textDocument/inlineCompletion":
            self._complete(message["id"], params)
        elif "id" in message and method is not None:
            self._send(id=message["id"], result=self._result(method, params))

    def _result(self, method: str, params: dict[str, Any]) -> Any:
        if method == "initialize":
            return {
                "capabilities": {
                    "positionEncoding": self._encoding,
                    "textDocumentSync": 1,
                    "inlineCompletionProvider": {},
                    "executeCommandProvider": {"commands": list(self._commands)},
                },
                "serverInfo": {"name": "scripted", "version": "1.2.3"},
            }
        if method == "rest/status":
            return {"state": "ready", "reason": None, "fix": None, "progress": None, "model": "small", "device": "cpu"}
        if method == "test/received":
            return self._received[:-1]
        if method == "test/tell":
            self._send(method=params["method"], params=params["params"])
        elif method == "test/mute":
            self._muted = True
        elif method == "test/die":
            os.kill(os.getpid(), signal.SIGKILL)
        return self._execute(params) if method == "workspace/executeCommand" else None

    def _execute(self, params: dict[str, Any]) -> Any:
        arguments = [*(params.get("arguments") or []), None]
        if params["command"] == "rest.snooze":
            return {"snoozedUntil": None if arguments[0] == 0 else 1_700_000_000_000}
        if params["command"] == "rest.toggle":
            language = arguments[0]
            if language is None:
                self._enabled = not self._enabled
            else:
                self._disabled = [] if language in self._disabled else [language]
            return {"enabled": self._enabled, "disabledLanguages": self._disabled}
        return RESULTS[params["command"]]

    def _complete(self, msg_id: int, params: dict[str, Any]) -> None:
        uri, position = params["textDocument"]["uri"], params["position"]
        line = self._lines[uri][position["line"]]
        before = self._cut(line, position["character"])
        n_items = N_CHOICES if params["context"]["triggerKind"] == 1 else 1
        items = [self._item(position, before, line[len(before) :], choice) for choice in range(n_items)]
        self._newest[uri] = msg_id
        result = [item for item in items if item is not None]
        if self._delays is None:
            self._send(id=msg_id, result=None if self._muted else result)
        else:
            threading.Timer(self._delays.uniform(0, MOST_DELAY_S), self._answer, (msg_id, uri, result)).start()

    def _answer(self, msg_id: int, uri: str, result: list[dict[str, Any]]) -> None:
        self._send(id=msg_id, result=result if self._newest[uri] == msg_id else None)

    def _item(self, position: dict[str, int], before: str, after: str, choice: int) -> dict[str, Any] | None:
        suggestion = suggest(before, after, choice)
        if suggestion is None:
            return None
        self._ids += 1
        end = {**position, "character": position["character"] + suggestion.n_replaced}
        return {
            "insertText": suggestion.text,
            "range": {"start": position, "end": end},
            "command": {"title": "", "command": "rest.accepted", "arguments": [f"s{self._ids}", "whole"]},
        }

    def _cut(self, line: str, character: int) -> str:
        codec, width = ("utf-8", 1) if self._encoding == "utf-8" else ("utf-16-le", 2)
        return line.encode(codec)[: width * character].decode(codec)

    def _send(self, **message: object) -> None:
        with self._writing:
            sys.stdout.buffer.write(frame({"jsonrpc": "2.0", **message}))
            sys.stdout.buffer.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--encoding", default="utf-16")
    parser.add_argument("--delays", action="store_true")
    parser.add_argument("--without-commands", action="store_true")
    given = parser.parse_args()
    ScriptedServer(given.encoding, given.delays, () if given.without_commands else COMMANDS).run()


if __name__ == "__main__":
    main()
