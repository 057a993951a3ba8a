"""What the datastore's two processes say to each other: one JSON object per line.

To the worker: `WorkerSetup`, then {"op": "refresh", "id"}, {"op": "cancel", "id"}, {"op": "watch"}, {"op": "compare"}.
End of file: exit.
From it: {"event": "generation"} (on disk), {"event": "memory", "manifest", "segments"} (kept in memory),
{"event": "progress", "id", "stage", "done", "total"}, {"event": "report", "id", "report"},
{"event": "failed", "id", "message", "hint"}, {"event": "tiers"} (others than before), {"event": "watching", "value"},
{"event": "notice", "message"}, {"event": "can pause"} (it, and the processes of its group).
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rest_lsp.datastore.libraries import LibraryOptions
from rest_lsp.datastore.rules import IndexRules

Message = dict[str, Any]


@dataclass(frozen=True)
class WorkerSetup:
    """What a worker needs to know; all paths absolute.

    fingerprint     32 hex digits that name the tokenizer
    reconcile_s     seconds between full comparisons while watching
    crashes         of earlier workers in a row: after some, suffixes are sorted without the native library, which may
                    have been the reason, and merges are smaller, since it may have been the memory that they take
    libraries       tiers that are built, and when
    """

    root: Path
    directory: Path
    tokenizer_path: Path
    fingerprint: str
    rules: IndexRules
    reconcile_s: float = 300.0
    crashes: int = 0
    libraries: LibraryOptions = field(default_factory=LibraryOptions)

    def to_json(self) -> Message:
        """Plain data."""
        return {
            "root": str(self.root),
            "directory": str(self.directory),
            "tokenizer_path": str(self.tokenizer_path),
            "fingerprint": self.fingerprint,
            "rules": self.rules.to_json(),
            "reconcile_s": self.reconcile_s,
            "crashes": self.crashes,
            "libraries": asdict(self.libraries),
        }

    @classmethod
    def from_json(cls, data: Message) -> WorkerSetup:
        """The reverse of `to_json`."""
        return cls(
            Path(data["root"]),
            Path(data["directory"]),
            Path(data["tokenizer_path"]),
            data["fingerprint"],
            IndexRules.from_json(data["rules"]),
            data["reconcile_s"],
            data["crashes"],
            LibraryOptions(**data["libraries"]),
        )


def encode_message(message: Message) -> bytes:
    """One line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode_message(line: bytes) -> Message:
    """Raises ValueError for anything but a JSON object."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("a message is a JSON object")  # noqa: TRY004
    return message


def pack_segments(segments: Mapping[str, bytes]) -> dict[str, str]:
    """File contents as text, for a parent that cannot read them from a disk."""
    return {name: b64encode(data).decode() for name, data in segments.items()}


def unpack_segments(packed: Mapping[str, str]) -> dict[str, bytes]:
    """The reverse of `pack_segments`."""
    return {name: b64decode(text) for name, text in packed.items()}
