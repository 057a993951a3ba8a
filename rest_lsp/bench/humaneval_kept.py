"""The texts of `bench humaneval`, kept as they come."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rest_lsp.bench.direct import Decoded
from rest_lsp.bench.humaneval_report import PLAIN, Text
from rest_lsp.bench.kept import KeptRows
from rest_lsp.completion.request import StopReason


class KeptTexts(KeptRows[Text]):
    """By problem and sampling."""

    def __init__(self, path: Path, subject: Mapping[str, Any]) -> None:
        super().__init__(path, subject, to_json=text_to_json, from_json=text_from_json)

    def find(self, problem: str, sampling: str) -> Text | None:
        """None where it has not been written."""
        return next((text for text in self.rows if (text.problem, text.sampling) == (problem, sampling)), None)


def text_to_json(text: Text) -> dict[str, Any]:
    """Token ids stand there once, and again only for what differs from them."""
    plain = text.written[PLAIN].tokens
    written = {
        name: {
            "tokens": None if name != PLAIN and run.tokens == plain else list(run.tokens),
            "decode_ms": round(run.decode_ms, 2),
            "forwards": run.forwards,
            "accepted": dict(run.accepted),
            "drafted": run.drafted,
            "prefill_ms": round(run.prefill_ms, 2),
            "draft_ms": [round(ms, 3) for ms in run.draft_ms],
            "stop": run.stop.value if run.stop else None,
        }
        for name, run in text.written.items()
    }
    return {"problem": text.problem, "sampling": text.sampling, "written": written, "passed": dict(text.passed)}


def text_from_json(row: Mapping[str, Any]) -> Text:
    """Raises KeyError, TypeError or ValueError where it is none."""
    plain = row["written"][PLAIN]["tokens"]
    written = {
        name: Decoded(
            **{
                **run,
                "tokens": tuple(plain if run["tokens"] is None else run["tokens"]),
                "stop": StopReason(run["stop"]) if run["stop"] else None,
            }
        )
        for name, run in row["written"].items()
    }
    return Text(row["problem"], row["sampling"], written, row["passed"])
