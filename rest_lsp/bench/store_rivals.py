"""Other ways to look up what follows: REST's own rule on our segments, and the package of infini-gram, if installed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rest_lsp.datastore.occurrence import N_TOKENS, TOKENS
from rest_lsp.datastore.search_rows import find_ranges
from rest_lsp.datastore.search_view import read_range
from rest_lsp.datastore.segment import NewDocument
from rest_lsp.datastore.snapshot import Snapshot
from rest_lsp.datastore.suffix_array import suffix_array

LONGEST, SHORTEST, MOST, CHOICES, DEPTH = 16, 2, 5_000, 64, 10
"""REST, arXiv 2311.08252 §4.1 and DraftRetriever/src/lib.rs."""


def rest_rule(snapshot: Snapshot) -> Callable[[Sequence[int]], object]:
    """The longest n-gram that occurs, its first 5,000 places in order, every prefix of what follows counted.

    REST searches anew for each length; here our own search finds the longest at once, which is quicker.
    """
    segments = [live.segment.arrays for live in snapshot.generation.segments]

    def ask(context: Sequence[int]) -> object:
        sought = np.array(context[: -LONGEST - 1 : -1], np.int32)
        found = [
            (segment, *found) for segment in segments for found in find_ranges(segment, sought, SHORTEST, 1).tolist()
        ]
        longest = max((length for _, length, _, _ in found), default=0)
        counts: Counter[tuple[int, ...]] = Counter()
        left = MOST
        for segment, length, low, high in found:
            if length == longest:
                rows = read_range(segment, low, min(high, low + left), DEPTH).tolist()
                left -= len(rows)
                for row in rows:
                    tokens = row[TOKENS : TOKENS + row[N_TOKENS]]
                    counts.update(tuple(tokens[:depth]) for depth in range(1, len(tokens) + 1))
        return counts.most_common(CHOICES)

    return ask


def infini_gram(
    folder: Path, documents: Sequence[NewDocument], n_tokens: int
) -> Callable[[Sequence[int]], object] | None:
    """Its engine on the same tokens, asked for the next token's distribution; None when it is not installed.

    Its ids are 16 bits wide here, which its index is for; ids are numbered anew for it.
    """
    try:
        from infini_gram.engine import InfiniGramEngine
    except ImportError:
        return None
    numbers = _write_infini_gram(folder, documents, n_tokens)
    engine: Any = InfiniGramEngine(
        index_dir=str(folder), eos_token_id=0, vocab_size=65_535, token_dtype="u16", version=4
    )

    def ask(context: Sequence[int]) -> object:
        ids = [int(number) for number in numbers[np.asarray(context[-LONGEST:])]]
        return engine.infgram_ntd(prompt_ids=ids, max_support=MOST)

    return ask


def _write_infini_gram(folder: Path, documents: Sequence[NewDocument], n_tokens: int) -> Any:
    """Its files: tokens behind a separator each, pointers to bytes in suffix order, offsets of documents."""
    folder.mkdir()
    texts, total = [], 0
    for document in documents:
        texts.append(np.asarray(document.ids, dtype=np.int64))
        total += len(texts[-1])
        if total >= n_tokens:
            break
    used = np.unique(np.concatenate(texts))
    numbers = np.zeros(1 << 18, dtype=np.int64)
    numbers[used] = np.arange(1, len(used) + 1)
    separator = np.array([65_535], dtype=np.int64)
    stream = np.concatenate([part for text in texts for part in (separator, numbers[text])]).astype(np.uint16)
    # It compares little-endian bytes, so the order is that of numbers with their bytes swapped.
    rows = suffix_array(stream.byteswap()).astype(np.uint64) * 2
    width = int(np.ceil(np.log2(2 * len(stream)) / 8))
    (folder / "tokenized.0").write_bytes(stream.tobytes())
    (folder / "table.0").write_bytes(rows.view(np.uint8).reshape(-1, 8)[:, :width].tobytes())
    starts = np.cumsum([0, *(2 * (len(text) + 1) for text in texts[:-1])]).astype(np.uint64)
    (folder / "offset.0").write_bytes(starts.tobytes())
    return numbers
