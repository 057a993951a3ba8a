"""500 requests within a second: whether the server still answers others, and when all of them have their answers."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rest_lsp.bench.lsp_process import LspProcess
from rest_lsp.bench.selection import Selection

REQUESTS, SECONDS = 500, 1.0
_EVERY = 50


def storm(process: LspProcess, selection: Selection) -> Mapping[str, float]:
    """`silent_ms`: the longest that a status request took meanwhile; `last_ms`: from the last request to its answer.

    Raises RestLspError when a request is left without an answer.
    """
    hole = selection.holes[0]
    uri = (selection.workspace / hole.case.path).with_name("storm.py").as_uri()
    lines = hole.text[: hole.offset].count("\n")
    document = {"uri": uri, "languageId": "python", "version": 1, "text": hole.text}
    process.notify("textDocument/didOpen", {"textDocument": document})
    requests, silent_s, start_s = [], 0.0, time.perf_counter()
    for number in range(REQUESTS):
        time.sleep(max(0.0, start_s + number * SECONDS / REQUESTS - time.perf_counter()))
        position = {"line": max(0, lines - number % 9), "character": 0}
        params = {"textDocument": {"uri": uri}, "position": position, "context": {"triggerKind": 1}}
        requests.append(process.post("textDocument/inlineCompletion", params))
        if number % _EVERY == 0:
            asked_s = time.perf_counter()
            process.ask("rest/status")
            silent_s = max(silent_s, time.perf_counter() - asked_s)
    sent_s = time.perf_counter()
    answers = [process.wait_for(request) for request in requests]
    return {
        "requests": float(REQUESTS),
        "seconds": sent_s - start_s,
        "silent_ms": round(1e3 * silent_s, 1),
        "last_ms": round(1e3 * (answers[-1].at_s - sent_s), 1),
        "errors": float(sum(answer.error is not None for answer in answers)),
    }
