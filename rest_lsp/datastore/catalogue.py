"""Where each document of a generation is: by path, by content, and among the dead."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rest_lsp.datastore.generation import Generation
from rest_lsp.datastore.segment import Segment


class Place(NamedTuple):
    """Document number `document` of a segment, with the hash of the content it was made of."""

    segment: Segment
    document: int
    content_hash: bytes

    @property
    def ids(self) -> npt.NDArray[np.uint32]:
        return self.segment.document_ids(self.document)


class Catalogue:
    """Derived from the segments' own document tables, so it can be neither stale nor damaged."""

    def __init__(self, generation: Generation) -> None:
        self.live: dict[str, Place] = {}
        self._dead: dict[tuple[str, bytes], Place] = {}
        self._by_content: dict[bytes, Place] = {}
        for segment, dead in generation.segments:
            for document, path in enumerate(segment.paths):
                place = Place(segment, document, segment.content_hash(document))
                self._by_content[place.content_hash] = place
                if document in dead:
                    self._dead[path, place.content_hash] = place
                else:
                    self.live[path] = place

    def find_dead(self, path: str, content_hash: bytes) -> Place | None:
        """A deleted document that is the same again: its tombstone need only be lifted."""
        return self._dead.get((path, content_hash))

    def find_content(self, content_hash: bytes) -> Place | None:
        """Any document made of this content, under any path, alive or dead: its tokens need not be made again."""
        return self._by_content.get(content_hash)
