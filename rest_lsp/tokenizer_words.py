"""Token ids of text from a memory of words: the same ids as the tokenizer itself, several times sooner.

A byte-level BPE splits text by a regular expression and then merges within each word, so a word has the same ids
wherever it stands, and code repeats its words.  Knows no vocabulary.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cache, cached_property
from itertools import chain, groupby
from typing import Any

MAX_WORDS = 1 << 17
"""Then the memory begins anew; about 25 MB."""

PLANE_0 = 1 << 16
"""`re` looks characters up in a table up to here, and beyond in a list, a hundred times slower."""

GPT2_SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""What a ByteLevel step splits by when it says nothing else (GPT-2's encoder.py)."""

# White space of Unicode, written out because `re` counts U+001C to U+001F as well.
_SPACE = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_KNOWN_PROPERTIES = frozenset(("L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "N", "Nd"))
_PARTS = re.compile(r"(\\p\{\w+\}|\\.|[\[\]])")
_PROBES = (
    "def probe(self, *args):\r\n    return {'it''s': 12345, \"we'LL\": x[1:2]}  # done\n\n\n\tif  x!=y:\n\t\tpass   ",
    "\x0b \x0c\x1c\x1d \x1e\x1f\x00a\n \n  b\r\r\n__init__.py CamelCaseHTTP2 // ... ;;;\n",
    "".join(map(chr, range(128))),
)
_UNICODE_PROBES = (
    "naïve Größe = 'Ελλάδα' # 日本語、テスト\u3000\u00a0\n\u2028\x85 — “quoted” x²½ ٣٤ हिन्दी e\u0301\ufe0f\n",
)


class WordEncoder:
    """`encode` is the tokenizer's own way, which is asked for each new word.  Threads may share it."""

    def __init__(self, pattern: str, encode: Callable[[str], list[int]]) -> None:
        """Raises ValueError when `pattern` cannot be run here, or does not give what `encode` gives."""
        self._pattern = pattern
        self._encode = encode
        self._words = _Words(encode)
        self._ascii = _compile(pattern, _ascii_members)
        if not self._agrees(self._ascii, _PROBES):
            raise ValueError(pattern)

    def encode(self, text: str) -> list[int] | None:
        """Ids of `text`; None when it has characters that only the tokenizer itself can judge."""
        split = self._ascii
        if not text.isascii():
            if self._unicode is None or _is_beyond_plane_0(text) or _doubtful().search(text):
                return None
            split = self._unicode
        if len(self._words) > MAX_WORDS:
            self._words.clear()
        return self._through(split, text)

    def _through(self, split: re.Pattern[str], text: str) -> list[int]:
        return list(chain.from_iterable(map(self._words.__getitem__, split.findall(text))))

    @cached_property
    def _unicode(self) -> re.Pattern[str] | None:
        """Made on first need, since going through all of Unicode takes a moment."""
        split = _compile(self._pattern, _unicode_members)
        return split if self._agrees(split, _UNICODE_PROBES) else None

    def _agrees(self, split: re.Pattern[str], probes: Iterable[str]) -> bool:
        return all(self._through(split, probe) == self._encode(probe) for probe in probes)


class _Words(dict[str, Sequence[int]]):
    """Ids by word, asked for once."""

    def __init__(self, encode: Callable[[str], list[int]]) -> None:
        super().__init__()
        self._encode = encode

    def __missing__(self, word: str) -> Sequence[int]:
        ids = self[word] = tuple(self._encode(word))
        return ids


def word_encoder(description: dict[str, Any], encode: Callable[[str], list[int]]) -> WordEncoder | None:
    """For a tokenizer.json; None when its words are not independent of each other, or split in a way not known here."""
    if description["model"].get("type") != "BPE" or description.get("normalizer") or description.get("added_tokens"):
        return None
    pattern = _pattern_of(description.get("pre_tokenizer"))
    try:
        return WordEncoder(pattern, encode) if pattern else None
    except ValueError:
        return None


def _pattern_of(step: dict[str, Any] | None) -> str | None:
    """The expression whose matches are the words."""
    steps = step.get("pretokenizers", [step]) if step else []
    if not steps or steps[-1]["type"] != "ByteLevel" or steps[-1].get("add_prefix_space"):
        return None
    by_itself = steps[-1].get("use_regex", True)
    if len(steps) == 1 and by_itself:
        return GPT2_SPLIT
    if len(steps) != 2 or by_itself or steps[0]["type"] != "Split":
        return None
    plain = steps[0].get("behavior") == "Isolated" and not steps[0].get("invert")
    pattern: str | None = steps[0]["pattern"].get("Regex") if plain else None
    return pattern


def _compile(pattern: str, members_of: Callable[[str], str]) -> re.Pattern[str]:
    """`pattern` with its classes written out.  Raises ValueError when `re` cannot run it."""
    inside = False
    pieces = []
    for piece in _PARTS.split(pattern):
        named = piece in ("\\s", "\\S") or piece.startswith("\\p{")
        pieces.append(_class(piece, inside, members_of) if named else piece)
        inside = (inside or piece == "[") and piece != "]"
    try:
        compiled = re.compile("".join(pieces))
    except re.error as error:
        raise ValueError(pattern) from error
    if compiled.groups:
        raise ValueError(pattern)
    return compiled


def _class(piece: str, inside: bool, members_of: Callable[[str], str]) -> str:
    members = _SPACE if piece in ("\\s", "\\S") else members_of(piece[3:-1])
    if inside and piece != "\\S":
        return members
    if inside or not members:
        raise ValueError(piece)
    return f"[^{members}]" if piece == "\\S" else f"[{members}]"


def _ascii_members(name: str) -> str:
    return _members(name, 128)


def _unicode_members(name: str) -> str:
    return _members(name, PLANE_0)


@cache
def _members(name: str, end: int) -> str:
    if name not in _KNOWN_PROPERTIES:
        raise ValueError(name)
    return _ranges(code for code in range(end) if unicodedata.category(chr(code)).startswith(name))


def _is_beyond_plane_0(text: str) -> bool:
    return len(text.encode("utf-16-le", "surrogatepass")) != 2 * len(text)


@cache
def _doubtful() -> re.Pattern[str]:
    """Characters that another version of Unicode may sort elsewhere, that fold to "s", and lone surrogates."""
    codes = (code for code in range(PLANE_0) if unicodedata.category(chr(code)) in ("Cn", "Cs"))
    return re.compile(f"[{_ranges(codes)}\u017f]")


def _ranges(codes: Iterable[int]) -> str:
    """The inside of a character class."""
    runs = []
    for _, group in groupby(enumerate(codes), lambda pair: pair[1] - pair[0]):
        run = [code for _, code in group]
        runs.append(f"\\U{run[0]:08x}-\\U{run[-1]:08x}")
    return "".join(runs)
