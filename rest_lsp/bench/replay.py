"""Replays what really stood in the holes through the draft sources, without any model: how often is a guess right?

Knows sources and their proposals.  Its rows are what path probabilities are calibrated with.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from rest_lsp.bench.holes import Hole
from rest_lsp.bench.results import common_prefix
from rest_lsp.drafting.datastore_source import DatastoreSource, Searchable
from rest_lsp.drafting.document_source import DocumentSource
from rest_lsp.drafting.source import DraftSource, Occurrence
from rest_lsp.tokenizer import Tokenizer

DEPTH = 8


class Guess(NamedTuple):
    """One node that a source proposes below a path that was right so far, and whether it is right as well.

    length   longest match of the context among the places that propose it
    share    its part of the weight of all places that match at least as long and agree with the path
    weight   that of the places that propose it
    depth    1 for the token right behind the context
    """

    source: str
    length: int
    share: float
    weight: float
    depth: int
    hit: bool


class ReplayText(NamedTuple):
    """A hole in tokens; the token that the cursor cuts belongs to `truth`, as token healing has it."""

    before: list[int]
    truth: list[int]
    after: list[int]


def replay(
    tokenizer: Tokenizer, holes: Iterable[Hole], datastore: Searchable | None = None, *, depth: int = DEPTH
) -> Iterator[Guess]:
    """Every guess at every token of every hole; the file with the hole is left out of `datastore`."""
    for hole in holes:
        text = replay_text(tokenizer, hole)
        path = hole.case.path
        sources: list[DraftSource] = [DocumentSource(path, text.before, text.after, n_known=len(text.before))]
        if datastore is not None:
            sources.append(DatastoreSource(datastore, exclude=path))
        yield from replay_text_through(sources, text, depth=depth)


def replay_text(tokenizer: Tokenizer, hole: Hole) -> ReplayText:
    """The document in tokens as it was before the hole was cut, divided at the hole."""
    before, after = hole.text[: hole.offset], hole.text[hole.offset :]
    whole = tokenizer.encode(before + hole.truth)
    kept = common_prefix(tokenizer.encode(before), whole)
    return ReplayText(whole[:kept], whole[kept:], tokenizer.encode(after))


def replay_text_through(sources: Sequence[DraftSource], text: ReplayText, *, depth: int = DEPTH) -> Iterator[Guess]:
    """One row per source, place in the hole, depth and token that the source proposes there."""
    for index in range(len(text.truth)):
        context = [*text.before, *text.truth[:index]]
        for source in sources:
            occurrences = source.propose(context, depth).occurrences
            yield from guesses(source.name, occurrences, text.truth[index : index + depth])


def guesses(source: str, occurrences: Sequence[Occurrence], truth: Sequence[int]) -> Iterator[Guess]:
    """Follow `truth` through the occurrences, and at each depth look at all tokens that they propose."""
    agreeing = list(occurrences)
    for depth, token in enumerate(truth, 1):
        agreeing = [occurrence for occurrence in agreeing if len(occurrence.tokens) >= depth]
        by_token: dict[int, list[Occurrence]] = defaultdict(list)
        for occurrence in agreeing:
            by_token[occurrence.tokens[depth - 1]].append(occurrence)
        for proposed, places in by_token.items():
            length = max(place.length for place in places)
            weight = sum(place.weight for place in places)
            as_long = sum(place.weight for place in agreeing if place.length >= length)
            as_long_here = sum(place.weight for place in places if place.length >= length)
            yield Guess(source, length, as_long_here / as_long, weight, depth, proposed == token)
        agreeing = by_token.get(token, [])
