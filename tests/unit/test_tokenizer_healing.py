"""Which typed endings some token of a vocabulary would go on from."""

from __future__ import annotations

import pytest

from rest_lsp.tokenizer import SortedVocabulary

VOCABULARY = SortedVocabulary(
    [b"__", b"':", b"__':\n", b"\n", b"\n\n", b"\n\n\n", b"    ", b"    \n", b"(", b"(self", b")\n", b")\n    \n"]
)


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        (b"(", True),
        (b"__':", True),
        (b")", True),
        (b"\n", False),
        (b"\n\n", False),
        (b")\n", False),
        (b"    ", False),
        (b"(self", False),
        (b"nothing", False),
    ],
)
def test_more_blank_lines_count_only_behind_code(tail: bytes, expected: bool) -> None:
    assert VOCABULARY.goes_on(tail) is expected
