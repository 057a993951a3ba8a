"""Workspaces, a small byte-level tokenizer and a brute-force search for tests of the datastore."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers, trainers

FINGERPRINT = "0123456789abcdef" * 2
TRAINING_TEXT = [
    "def function(self, argument):\n    return self.argument\n",
    "import os\nfrom pathlib import Path\n\n\nclass Example:\n    value = 1\n",
]


def write_tokenizer(path: Path) -> Path:
    """A byte-level BPE vocabulary of 320 tokens that spells every byte."""
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    backend.train_from_iterator(TRAINING_TEXT, trainer)
    backend.save(str(path))
    return path


def write_files(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Create files with their folders; returns `root`."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def git(root: Path, *arguments: str) -> str:
    """Run git in `root` as somebody, without the machine's own settings."""
    identity = {
        f"GIT_{who}_{what}": "someone@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    environment = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(["git", *arguments], cwd=root, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


class Place(NamedTuple):
    """An occurrence as the brute-force search reports it."""

    length: int
    path: str
    offset: int
    tokens: tuple[int, ...]


def scan(
    documents: Mapping[str, Sequence[int]], context: Sequence[int], depth: int, max_length: int, min_length: int = 1
) -> set[Place]:
    """Every occurrence of the end of `context`, found by looking everywhere."""
    found = set()
    for path, ids in documents.items():
        for offset in range(1, len(ids)):
            length = 0
            while length < min(max_length, offset, len(context)) and ids[offset - 1 - length] == context[-1 - length]:
                length += 1
            if length >= min_length:
                found.add(Place(length, path, offset, tuple(ids[offset : offset + depth])))
    return found
