"""Which stretches of memory are asked to be huge pages; what the kernel answers is its own affair."""

from __future__ import annotations

import numpy as np

from rest_lsp.engine.huge_pages import Mapping, large_mappings, use_huge_pages

MAPS = """\
5581a000-5591a000 rw-p 00000000 00:00 0                                  [heap]
7f0000000000-7f0001000000 rw-p 00000000 00:00 0
7f0002000000-7f0002001000 rw-p 00000000 00:00 0
7f0003000000-7f0004000000 r--p 00000000 00:00 0
7f0005000000-7f0006000000 rw-p 00000000 fe:00 1234                       /some/file with blanks
7f0007000000-7f0008000000 rw-s 00000000 00:00 0
7ffc00000000-7ffc01000000 rw-p 00000000 00:00 0                          [stack]
"""


def test_only_large_private_anonymous_memory_is_named() -> None:
    assert list(large_mappings(MAPS)) == [Mapping(0x7F0000000000, 0x1000000)]
    heap = MAPS.replace("5591a000", "6591a000")
    assert next(large_mappings(heap)) == Mapping(0x5581A000, 0x10100000)


def test_memory_keeps_its_content() -> None:
    numbers = np.arange(4 << 20, dtype=np.int64)
    assert use_huge_pages() >= 0
    assert (numbers == np.arange(4 << 20, dtype=np.int64)).all()
