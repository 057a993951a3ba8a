"""Tokenising for the index: in this process, or on all cores but one when there is much of it.

A helper process that fails costs time only: its share is tokenised here.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rest_lsp.datastore.pace import chunks

if TYPE_CHECKING:
    from rest_lsp.tokenizer import Tokenizer

Ids = Sequence[int] | npt.NDArray[np.uint32]

WORTH_SHARING = 1 << 20
"""Characters; starting a process and reading the vocabulary there takes a second."""

_log = logging.getLogger(__name__)


def spare_cores() -> int:
    """All that this process may use but one, and one at least."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(usable - 1, 1)


class Encoders:
    """One thread calls it.  The tokenizer is read on first use: most starts find nothing new to tokenise."""

    def __init__(self, tokenizer_path: Path, n_processes: int | None = None) -> None:
        """`n_processes` 1 tokenises in this process; None takes all cores but one."""
        self._path = tokenizer_path
        self._n_processes = n_processes or spare_cores()
        self._helpers: list[_Helper] = []

    def __call__(self, texts: Sequence[str]) -> list[Ids]:
        """Ids of each text.  Raises ModelError when the tokenizer cannot be read."""
        sizes = [len(text) for text in texts]
        if self._n_processes == 1 or len(texts) == 1 or (not self._helpers and sum(sizes) < WORTH_SHARING):
            return list(self._tokenizer.encode_batch(texts))
        self._start_helpers()
        shares = [texts[share] for share in chunks(sizes, sum(sizes) // self._n_processes + 1)]
        with ThreadPoolExecutor(len(shares)) as threads:
            return [ids for share in threads.map(self._encode_share, range(len(shares)), shares) for ids in share]

    def rest(self) -> None:
        """End the helpers; the next large piece of work starts them again."""
        for helper in self._helpers:
            helper.end()
        self._helpers.clear()

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from rest_lsp.tokenizer import Tokenizer

        return Tokenizer.from_file(self._path)

    def _start_helpers(self) -> None:
        while len(self._helpers) < self._n_processes:
            self._helpers.append(_Helper(self._path))

    def _encode_share(self, number: int, texts: Sequence[str]) -> list[Ids]:
        try:
            return self._helpers[number].encode(texts)
        except (OSError, ValueError) as error:
            _log.warning("A tokenising process failed (%s); its share is done by another.", error)
            self._helpers[number].end()
            self._helpers[number] = _Helper(self._path)
            return list(self._tokenizer.encode_batch(texts))


class _Helper:
    """The parent's end of one `encoder_process`."""

    def __init__(self, tokenizer_path: Path) -> None:
        environment = {**os.environ, "RAYON_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "rest_lsp.datastore.encoder_process", str(tokenizer_path)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)

    def encode(self, texts: Sequence[str]) -> list[Ids]:
        """Raises OSError or ValueError when the process has ended, or says something else."""
        source, sink = self.process.stdout, self.process.stdin
        assert source is not None, "the process has pipes"
        assert sink is not None, "the process has pipes"
        sink.write(json.dumps(list(texts)).encode() + b"\n")
        sink.flush()
        lengths = json.loads(source.readline())
        ids = np.frombuffer(source.read(4 * sum(lengths)), dtype=np.uint32)
        if len(lengths) != len(texts) or len(ids) != sum(lengths):
            raise ValueError("it ended early")
        return list(np.split(ids, np.cumsum(lengths)[:-1]))

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()
