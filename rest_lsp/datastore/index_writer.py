"""Makes the datastore agree with the workspace: finds what differs, tokenises only that, commits it in batches.

Knows no processes, watchers or queries.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from rest_lsp.datastore.catalogue import Catalogue, Place
from rest_lsp.datastore.encoders import Ids
from rest_lsp.datastore.generation import LiveSegment
from rest_lsp.datastore.listing import Listing
from rest_lsp.datastore.merge import MAX_SEGMENT_TOKENS, SegmentSize, choose_merge, merge_segments
from rest_lsp.datastore.pace import CHUNK_CHARACTERS, Meter, Suspect, Tokenised, batches, chunks
from rest_lsp.datastore.reports import IndexProgress, ProgressCallback, RefreshReport
from rest_lsp.datastore.rules import IndexRules
from rest_lsp.datastore.segment import NewDocument, Segment
from rest_lsp.datastore.source_file import (
    Content,
    Unreadable,
    indexable_text,
    read_content,
    secret_contents,
    stamp_of,
)
from rest_lsp.datastore.stat_cache import StatCache
from rest_lsp.datastore.store import Store, new_segment_name
from rest_lsp.datastore.suffix_array import Sorter, suffix_array

Encode = Callable[[Sequence[str]], Sequence[Ids]]

_log = logging.getLogger(__name__)


@dataclass
class Tally:
    """Counts of one refresh, filled as it goes."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    tokenised: int = 0
    skipped: Counter[str] = field(default_factory=Counter)


@dataclass
class _Edit:
    """One commit in the making: documents to bury, to revive and to add."""

    bury: list[Place] = field(default_factory=list)
    revive: list[Place] = field(default_factory=list)
    documents: list[NewDocument] = field(default_factory=list)
    to_encode: list[_Pending] = field(default_factory=list)


class _Pending(NamedTuple):
    """Text that still has to be tokenised."""

    path: str
    content: Content
    text: str


class IndexWriter:
    """One thread, in the worker process.  `between_batches` may call `update` again for files that are more urgent."""

    def __init__(
        self,
        root: Path,
        store: Store,
        rules: IndexRules,
        stat_cache: StatCache,
        encode: Encode,
        on_commit: Callable[[], None],
        *,
        sorter: Sorter = suffix_array,
        max_merge_tokens: int = MAX_SEGMENT_TOKENS,
    ) -> None:
        self._root = root
        self._store = store
        self._rules = rules
        self._listing = Listing(root, rules)
        self._stat_cache = stat_cache
        self._encode = encode
        self._on_commit = on_commit
        self._sorter = sorter
        self._max_merge_tokens = max_merge_tokens
        self._catalogue = Catalogue(store.generation)

    def refresh(
        self,
        progress: ProgressCallback | None = None,
        should_stop: Callable[[], bool] | None = None,
        between_batches: Callable[[], None] | None = None,
    ) -> RefreshReport:
        """Compare the whole workspace.  What was done before `should_stop` said so is kept."""
        started = time.perf_counter()
        tally = Tally()
        if progress:
            progress(IndexProgress("list", 0, 0))
        listed = self._listing.files()
        suspects = self._reconcile(listed, set(self._catalogue.live), tally)
        suspects.sort(key=lambda suspect: suspect.stamp.mtime_ns, reverse=True)
        meter = Meter(suspects, progress)
        for batch in batches(suspects):
            if should_stop and should_stop():
                break
            self._index(batch, tally, meter.tokenised)
            meter.done(batch)
            if between_batches:
                between_batches()
        self._purge_secrets()
        self._stat_cache.save()
        return self._report(tally, time.perf_counter() - started)

    def update(self, paths: Iterable[str]) -> RefreshReport:
        """Compare only these files and folders, which may have gone."""
        started = time.perf_counter()
        tally = Tally()
        asked = sorted(set(paths))
        listed = self._listing.files(asked)
        below = tuple(path + "/" for path in asked)
        known = {path for path in self._catalogue.live if path.startswith(below) or path in asked}
        for batch in batches(self._reconcile(listed, known, tally)):
            self._index(batch, tally)
        self._stat_cache.save()
        return self._report(tally, time.perf_counter() - started)

    def merge_once(self) -> bool:
        """Do one merge if the policy asks for one; False when all is well.

        A merge for which there is no memory leaves everything as it was, and later ones are half as large.
        """
        segments = self._store.generation.segments
        sizes = [SegmentSize(live.live_tokens, live.dead_tokens) for live in segments]
        chosen = choose_merge(sizes, self._max_merge_tokens)
        if not chosen:
            self._store.settle()
            return False
        try:
            joined = self._joined(segments, chosen, keep_dead=len(chosen) > 1)
        except MemoryError:
            self._max_merge_tokens = sum(sizes[index].live_tokens for index in chosen) // 2
            _log.warning("There is no memory to merge %d segments; smaller merges are tried.", len(chosen))
            return True
        self._publish(joined)
        return True

    def close(self) -> None:
        """Keep what is known of files for the next writer."""
        self._stat_cache.close()

    @property
    def paths(self) -> list[str]:
        """The files that are indexed."""
        return sorted(self._catalogue.live)

    def watched_directories(self) -> list[str]:
        """See `Listing`."""
        return self._listing.watched_directories()

    def report(self) -> RefreshReport:
        """The state as it is, without looking at the workspace."""
        return self._report(Tally(), 0.0)

    def _reconcile(self, listed: Sequence[str], known: set[str], tally: Tally) -> list[Suspect]:
        """Remove the documents of `known` that are no longer listed or indexable; return the files to be read."""
        suspects: list[Suspect] = []
        gone = known.difference(listed)
        for path in listed:
            stamp = stamp_of(self._root, path, self._rules)
            if isinstance(stamp, Unreadable):
                tally.skipped[stamp.reason] += 1
                gone |= {path} & known
                continue
            remembered = self._stat_cache.get(path, stamp)
            place = self._catalogue.live.get(path)
            if remembered and remembered.skipped:
                tally.skipped[remembered.skipped] += 1
                gone |= {path} & known
            elif not (remembered and place and place.content_hash == remembered.content_hash):
                suspects.append(Suspect(path, stamp))
        self._remove(gone, tally)
        return suspects

    def _remove(self, gone: set[str], tally: Tally) -> None:
        """Bury documents.

        Those whose file is still there, or is a secret now, were ruled out by a rule, so their bytes go as well.
        """
        if not gone:
            return
        tally.removed += len(gone)
        self._stat_cache.forget(gone)
        buried = {path: self._catalogue.live[path] for path in gone}
        segments = self._edited(_Edit(bury=list(buried.values())))
        forbidden = {path for path in buried if os.path.lexists(self._root / path)}
        secrets = secret_contents(self._root, self._rules) if len(forbidden) < len(buried) else set()
        holding = [
            index
            for index, live in enumerate(segments)
            if not forbidden.isdisjoint(live.segment.paths) or holds_dead(live, secrets)
        ]
        self._publish(self._joined(segments, holding) if holding else segments, purge=bool(holding))

    def _purge_secrets(self) -> None:
        """What was deleted long ago may lie under a secret name now; nobody must find it even in the files."""
        segments = self._store.generation.segments
        secrets = secret_contents(self._root, self._rules) if any(live.dead for live in segments) else set()
        holding = [index for index, live in enumerate(segments) if holds_dead(live, secrets)]
        if holding:
            self._publish(self._joined(segments, holding), purge=True)

    def _index(self, batch: Sequence[Suspect], tally: Tally, tokenised: Tokenised | None = None) -> None:
        edit = _Edit()
        for suspect in batch:
            self._examine(suspect, edit, tally)
        tally.tokenised += len(edit.to_encode)
        ahead = 0
        for chunk in chunks([len(pending.text) for pending in edit.to_encode], CHUNK_CHARACTERS):
            pending = edit.to_encode[chunk]
            n_tokens = self._tokenise(pending, edit, tally)
            ahead += sum(one.content.stamp.size for one in pending)
            if tokenised:
                tokenised(n_tokens, ahead)
        self._commit(edit)

    def _examine(self, suspect: Suspect, edit: _Edit, tally: Tally) -> None:
        """Read a file and decide: as before, alive again, known by its content, to be tokenised, or left out."""
        path = suspect.path
        content = read_content(self._root, path, self._rules)
        place = self._catalogue.live.get(path)
        if isinstance(content, Unreadable):
            tally.skipped[content.reason] += 1
            return
        if place and place.content_hash == content.content_hash:
            self._stat_cache.put(path, content.stamp, content.content_hash, "")
            return
        if place:
            edit.bury.append(place)
            tally.changed += 1
        else:
            tally.added += 1
        if dead := self._catalogue.find_dead(path, content.content_hash):
            edit.revive.append(dead)
        elif known := self._catalogue.find_content(content.content_hash):
            edit.documents.append(NewDocument(path, content.content_hash, known.ids))
        elif isinstance(text := indexable_text(content.data), Unreadable):
            self._skip(path, content, text.reason, tally)
            return
        else:
            edit.to_encode.append(_Pending(path, content, text))
            return
        self._stat_cache.put(path, content.stamp, content.content_hash, "")

    def _tokenise(self, batch: Sequence[_Pending], edit: _Edit, tally: Tally) -> int:
        """Returns the number of tokens."""
        encoded = self._encode([pending.text for pending in batch])
        for pending, ids in zip(batch, encoded, strict=True):
            if len(ids) > self._rules.max_file_tokens:
                self._skip(pending.path, pending.content, "too many tokens", tally)
                continue
            edit.documents.append(NewDocument(pending.path, pending.content.content_hash, ids))
            self._stat_cache.put(pending.path, pending.content.stamp, pending.content.content_hash, "")
        return sum(map(len, encoded))

    def _skip(self, path: str, content: Content, reason: str, tally: Tally) -> None:
        tally.skipped[reason] += 1
        if path in self._catalogue.live:
            tally.changed -= 1
            tally.removed += 1
        else:
            tally.added -= 1
        self._stat_cache.put(path, content.stamp, content.content_hash, reason)

    def _commit(self, edit: _Edit) -> None:
        if edit.bury or edit.revive or edit.documents:
            self._publish(self._edited(edit))

    def _edited(self, edit: _Edit) -> list[LiveSegment]:
        """The segments as they are after an edit."""
        buried = {(place.segment.name, place.document) for place in edit.bury}
        revived = {(place.segment.name, place.document) for place in edit.revive}
        segments = []
        for segment, dead in self._store.generation.segments:
            added = {document for name, document in buried if name == segment.name}
            lifted = {document for name, document in revived if name == segment.name}
            segments.append(LiveSegment(segment, (dead | added) - lifted))
        if edit.documents:
            fingerprint = bytes.fromhex(self._store.fingerprint)
            built = Segment.build(new_segment_name(), edit.documents, fingerprint, self._sorter)
            segments.append(LiveSegment(built))
        return segments

    def _joined(
        self, segments: Sequence[LiveSegment], chosen: Sequence[int], *, keep_dead: bool = False
    ) -> list[LiveSegment]:
        """One new segment where the last of the chosen ones was; without their dead documents unless these are kept."""
        fingerprint = bytes.fromhex(self._store.fingerprint)
        sources = [segments[index] for index in chosen]
        merged = merge_segments(new_segment_name(), sources, fingerprint, self._sorter, keep_dead=keep_dead)
        result = [live for index, live in enumerate(segments) if index not in chosen]
        if merged:
            result.insert(max(chosen) - len(chosen) + 1, merged)
        return result

    def _publish(self, segments: Sequence[LiveSegment], *, purge: bool = False) -> None:
        self._store.commit(segments, purge=purge)
        self._catalogue = Catalogue(self._store.generation)
        self._on_commit()

    def _report(self, tally: Tally, seconds: float) -> RefreshReport:
        generation = self._store.generation
        return RefreshReport(
            files=len(self._catalogue.live),
            tokens=sum(live.live_tokens for live in generation.segments),
            segments=len(generation.segments),
            generation=generation.number,
            added=tally.added,
            changed=tally.changed,
            removed=tally.removed,
            tokenised=tally.tokenised,
            skipped=dict(tally.skipped),
            seconds=seconds,
        )


def holds_dead(live: LiveSegment, contents: AbstractSet[bytes]) -> bool:
    """Whether a dead document of the segment has one of these contents."""
    return bool(contents) and any(live.segment.content_hash(document) in contents for document in live.dead)
