"""What a query sees: an immutable list of views, live buffers first, then segments from the newest to the oldest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from time import perf_counter

import numpy as np
import numpy.typing as npt

from rest_lsp.datastore.generation import NOTHING, Generation
from rest_lsp.datastore.occurrence import Origin, Rows
from rest_lsp.datastore.search import Query, find
from rest_lsp.datastore.views import View, Views


class Snapshot:
    """Immutable; replaced as a whole, so readers need no lock and a query never sees half a change."""

    def __init__(
        self,
        generation: Generation = NOTHING,
        buffers: Sequence[View] = (),
        hidden: AbstractSet[str] = frozenset(),
    ) -> None:
        """`buffers` supersede the documents of `generation` whose paths are in `hidden`."""
        self.generation = generation
        self._buffers = tuple(buffers)
        self._views = Views([*buffers, *_generation_views(generation, hidden)])
        self._without: tuple[str, Views] = ("", self._views)

    def find(
        self,
        context: Sequence[int],
        *,
        depth: int,
        max_length: int,
        min_length: int,
        limit: int,
        exclude: str | None,
        time_limit_ms: float,
    ) -> Rows:
        """See `Datastore.find`."""
        views = self._views if exclude is None else self._views_without(exclude)
        query = Query(
            reversed_context=np.array(context[: -max_length - 1 : -1], np.int32),
            depth=depth,
            min_length=min_length,
            limit=limit,
            deadline=perf_counter() + time_limit_ms / 1000,
        )
        return find(views, query)

    def document_ids(self, origin: Origin) -> npt.NDArray[np.uint32] | None:
        """Token ids [n] of the document an origin lies in; None when it is no longer there."""
        for view in self._views.all:
            document = view.segment.document_of_path.get(origin.path)
            if document is None or (len(view.dead) and view.dead[document]):
                continue
            if view.segment.versions[document] == origin.generation:
                return view.segment.document_ids(document)
        return None

    def documents_named(self, name: str) -> list[str]:
        """Paths of living documents that are `called` so."""
        return [
            view.segment.paths[document]
            for view in self._views.all
            for document in view.segment.documents_named.get(name, ())
            if not (len(view.dead) and view.dead[document])
        ]

    def living_ids(self, path: str) -> npt.NDArray[np.uint32] | None:
        """Token ids [n] of the living document at `path`, None when there is none."""
        for view in self._views.all:
            document = view.segment.document_of_path.get(path)
            if document is not None and not (len(view.dead) and view.dead[document]):
                return view.segment.document_ids(document)
        return None

    def _views_without(self, path: str) -> Views:
        """All views with the documents of one path dead.  The last answer is kept: requests come in rows."""
        known, views = self._without
        if known != path:
            views = Views(_hide(view, path) for view in self._views.all)
            self._without = (path, views)
        return views


def _generation_views(generation: Generation, hidden: AbstractSet[str]) -> Iterable[View]:
    for segment, dead in reversed(generation.segments):
        superseded = {segment.document_of_path[path] for path in hidden if path in segment.document_of_path}
        flags = np.zeros(segment.n_documents if dead or superseded else 0, np.uint8)
        flags[list(dead | superseded)] = 1
        yield View(segment, flags)


def _hide(view: View, path: str) -> View:
    document = view.segment.document_of_path.get(path)
    if document is None:
        return view
    flags = view.dead.copy() if len(view.dead) else np.zeros(view.segment.n_documents, np.uint8)
    flags[document] = 1
    return view._replace(dead=flags)
