"""Text to token ids and back, without loss.  Knows nothing about models, prompts or markers.

Text is always only text: a control token written out in a file ("<|fim_middle|>") becomes ordinary tokens, because
added tokens are taken out of the encoder.  What would make encoding lossy (Unicode normalisation, a space put in front)
is taken out as well, so that `decode(encode(text)) == text` holds for every vocabulary that covers all bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tokenizers

from rest_lsp.errors import ModelError
from rest_lsp.tokenizer_words import word_encoder

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_WORD_START = "\u2581"
_PLAIN = {"special": False, "normalized": False, "single_word": False, "lstrip": False, "rstrip": False}
_LOSSY_STEPS = frozenset(
    {"NFC", "NFD", "NFKC", "NFKD", "Prepend", "Strip", "StripAccents", "Lowercase", "Precompiled", "Nmt"}
)


_LINES = ("x", "    x", "\tx", "}")
"""Beginnings of lines, one of each kind that tokenisers tell apart."""


class Tokenizer:
    """A Hugging Face tokenizer.json, byte-level BPE or SentencePiece style.  Immutable; threads may share it."""

    @classmethod
    def from_file(cls, path: Path) -> Tokenizer:
        """Read `path`.  Raises ModelError when it is missing, damaged or of a kind that cannot spell every byte."""
        try:
            return cls(json.loads(path.read_bytes()), str(path))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                f"The tokenizer {path} cannot be read ({error}).",
                "Run `rest-lsp models pull` to fetch the model again.",
            ) from error

    def __init__(self, description: dict[str, Any], name: str = "tokenizer.json") -> None:
        vocabulary = _split_vocabulary(description)
        text_only = _text_only(description, vocabulary)
        serialised = json.dumps(text_only, ensure_ascii=False)
        self._backend = _build(serialised, name)
        self._words = word_encoder(text_only, self._encode_plainly)
        self._tokens = vocabulary.text
        self._settled = lru_cache(maxsize=1024)(self._find_settled)
        self._control_names = vocabulary.control
        self._is_byte_level = _is_byte_level(description)
        self.vocab_size = 1 + max([*vocabulary.text.values(), *vocabulary.control.values()])
        self.control_ids = frozenset(range(self.vocab_size)).difference(vocabulary.text.values())
        digest = hashlib.blake2b(serialised.encode("utf-8", "surrogatepass"), digest_size=16)
        digest.update(json.dumps(sorted(vocabulary.control.items())).encode())
        self.fingerprint = digest.hexdigest()
        _require_all_bytes(vocabulary.text, self._is_byte_level, name)

    def encode(self, text: str) -> list[int]:
        """Ids of `text`; never a control id.  A lone surrogate, which UTF-8 cannot hold, counts as U+FFFD."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, in parallel where a memory of words does not do."""
        found = [self._words.encode(text) if self._words else None for text in texts]
        others = iter(self._encode_all([text for text, ids in zip(texts, found, strict=True) if ids is None]))
        return [next(others) if ids is None else ids for ids in found]

    def _encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        clean = [_LONE_SURROGATE.sub("\ufffd", text) for text in texts]
        return [encoding.ids for encoding in self._backend.encode_batch_fast(clean, add_special_tokens=False)]

    def _encode_plainly(self, text: str) -> list[int]:
        return self._encode_all([text])[0]

    def decode(self, ids: Sequence[int]) -> str:
        """The text that `ids` spell; control ids spell nothing, and an incomplete character becomes U+FFFD."""
        spellings = self._spellings
        return b"".join([spellings[token] for token in ids if token < self.vocab_size]).decode("utf-8", "replace")

    def count_newlines(self, ids: npt.NDArray[np.integer]) -> int:
        """Line ends in the text of `ids`, without spelling it out; some microseconds for a thousand tokens."""
        return int(self._newlines[ids].sum())

    def token_bytes(self, token: int) -> bytes:
        """The bytes that one token stands for; empty for control ids and for ids beyond the vocabulary."""
        return self._spellings[token] if token < self.vocab_size else b""

    def is_settled(self, token: int) -> bool:
        """Whether `token` ends a line and is the same whatever the next line begins with."""
        return self._settled(token)

    def _find_settled(self, token: int) -> bool:
        spelling = self.token_bytes(token)
        if not spelling.endswith(b"\n"):
            return False
        text = spelling.decode("utf-8", "replace")
        return all(self.encode(text + line)[:1] == [token] for line in _LINES)

    def control_id(self, name: str) -> int | None:
        """The id of a control token by its written name, such as "<|fim_prefix|>"; None when there is no such token."""
        return self._control_names.get(name)

    def control_name(self, token: int) -> str | None:
        """The written name of a control token; None for others."""
        return self._names_of_controls.get(token)

    @cached_property
    def _names_of_controls(self) -> dict[int, str]:
        return {token: name for name, token in self._control_names.items()}

    @cached_property
    def sorted_vocabulary(self) -> SortedVocabulary:
        """The vocabulary in byte order, built on first use."""
        return SortedVocabulary(self._spellings)

    @cached_property
    def _newlines(self) -> npt.NDArray[np.int64]:
        return np.array([spelling.count(b"\n") for spelling in self._spellings])

    @cached_property
    def _spellings(self) -> list[bytes]:
        spell = _spell_byte_level if self._is_byte_level else _spell_sentencepiece
        spellings = [b""] * self.vocab_size
        for text, token in self._tokens.items():
            spellings[token] = text.encode() if text.isspace() else spell(text)
        return spellings


class SortedVocabulary:
    """Token ids in the byte order of what they spell, so that a prefix is a range."""

    def __init__(self, spellings: Sequence[bytes]) -> None:
        self._spellings = spellings
        order = sorted((token for token in range(len(spellings)) if spellings[token]), key=spellings.__getitem__)
        self._order = np.array(order, dtype=np.int64)
        self._keys = [spellings[token] for token in order]
        self._agreeing = lru_cache(maxsize=256)(self._find_agreeing)
        self._going_on = lru_cache(maxsize=4096)(self._finds_going_on)

    def token_bytes(self, token: int) -> bytes:
        """The bytes of one token; empty for control ids and ids beyond the vocabulary."""
        return self._spellings[token] if token < len(self._spellings) else b""

    @cached_property
    def joined(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
        """All spellings in the order of their ids, end to end, and where each ends."""
        ends = np.cumsum([len(spelling) for spelling in self._spellings], dtype=np.int32)
        return np.frombuffer(bytearray().join(self._spellings), np.uint8), ends

    def starting_with(self, prefix: bytes) -> npt.NDArray[np.int64]:
        """Ids of all tokens whose bytes start with `prefix`, in byte order."""
        above = _next_sibling(prefix)
        end = len(self._keys) if above is None else bisect_left(self._keys, above)
        return self._order[bisect_left(self._keys, prefix) : end]

    def spelling_exactly(self, spelling: bytes) -> npt.NDArray[np.int64]:
        """Ids of the tokens that spell exactly these bytes: one or none, or two where byte tokens repeat characters."""
        return self._order[bisect_left(self._keys, spelling) : bisect_left(self._keys, spelling + b"\0")]

    def goes_on(self, tail: bytes) -> bool:
        """Whether some token spells `tail` and more; where its last line is blank, more than blank lines."""
        return self._going_on(tail)

    def _finds_going_on(self, tail: bytes) -> bool:
        is_blank = not tail.rpartition(b"\n")[2].strip()
        rests = (self._spellings[token][len(tail) :] for token in self.starting_with(tail).tolist())
        return any(rest and not (is_blank and _ends_blank(rest)) for rest in rests)

    def agreeing_with(self, pending: bytes) -> npt.NDArray[np.int64]:
        """Ids, ascending, of tokens that start with `pending` or that `pending` starts with.  Do not modify."""
        return self._agreeing(pending)

    def _find_agreeing(self, pending: bytes) -> npt.NDArray[np.int64]:
        shorter = [self.spelling_exactly(pending[:length]) for length in range(1, len(pending))]
        agreeing = np.sort(np.concatenate([*shorter, self.starting_with(pending)]))
        agreeing.flags.writeable = False
        return agreeing


def _ends_blank(spelling: bytes) -> bool:
    return spelling.endswith(b"\n") and spelling.isspace()


class _Vocabulary(NamedTuple):
    text: dict[str, int]
    control: dict[str, int]


def _split_vocabulary(description: dict[str, Any]) -> _Vocabulary:
    """Whitespace-only added tokens are text (indentation); every other added token is control."""
    added = {entry["content"]: entry["id"] for entry in description.get("added_tokens") or []}
    control = {content: token for content, token in added.items() if content.strip()}
    text = {content: token for content, token in description["model"]["vocab"].items() if content not in control}
    text.update((content, token) for content, token in added.items() if content not in control)
    return _Vocabulary(text, control)


def _text_only(description: dict[str, Any], vocabulary: _Vocabulary) -> dict[str, Any]:
    """The tokenizer.json without control tokens, lossy steps and whatever wraps a text in markers."""
    model = description["model"]
    merges = model.get("merges") or []
    unknown = model.get("unk_token")
    added = [entry for entry in description.get("added_tokens") or [] if entry["content"] not in vocabulary.control]
    return {
        "version": description.get("version", "1.0"),
        "truncation": None,
        "padding": None,
        "added_tokens": [{**entry, **_PLAIN} for entry in added],
        "normalizer": _without_loss(description.get("normalizer"), "normalizers"),
        "pre_tokenizer": _without_loss(description.get("pre_tokenizer"), "pretokenizers"),
        "post_processor": None,
        "decoder": None,
        "model": {
            **model,
            "vocab": vocabulary.text,
            "merges": merges,
            "unk_token": unknown if unknown in vocabulary.text else None,
        },
    }


def _without_loss(step: dict[str, Any] | None, members: str) -> dict[str, Any] | None:
    if step is None or step["type"] in _LOSSY_STEPS:
        return None
    if step["type"] == "Sequence":
        kept = [member for member in (_without_loss(child, members) for child in step[members]) if member is not None]
        return {**step, members: kept} if kept else None
    if step["type"] == "Metaspace":
        return {**step, "prepend_scheme": "never"}
    if step["type"] == "ByteLevel":
        return {**step, "add_prefix_space": False}
    return step


def _build(serialised: str, name: str) -> tokenizers.Tokenizer:
    try:
        return tokenizers.Tokenizer.from_str(serialised)
    except Exception as error:  # The binding raises bare Exception for every malformed description.
        raise ModelError(
            f"The tokenizer {name} is not one that the `tokenizers` package understands ({error}).",
            "Choose another model, or fetch this one again with `rest-lsp models pull`.",
        ) from error


def _is_byte_level(description: dict[str, Any]) -> bool:
    return '"ByteLevel"' in json.dumps([description.get("pre_tokenizer"), description.get("decoder")])


def _require_all_bytes(tokens: dict[str, int], byte_level: bool, name: str) -> None:
    spelled = [*_BYTE_LEVEL_ALPHABET.values()] if byte_level else [f"<0x{byte:02X}>" for byte in range(256)]
    missing = [text for text in spelled if text not in tokens]
    if missing:
        raise ModelError(
            f"The tokenizer {name} has no token for {len(missing)} of the 256 bytes, so it cannot write every text.",
            "Choose a model with a byte-level or byte-fallback vocabulary.",
        )


def _byte_level_alphabet() -> dict[int, str]:
    """The printable stand-in of each byte: itself where Latin-1 prints it, else the next free one from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    return {byte: chr(byte) for byte in printable} | {byte: chr(0x100 + i) for i, byte in enumerate(others)}


_BYTE_LEVEL_ALPHABET = _byte_level_alphabet()
_TO_LATIN_1 = {ord(char): byte for byte, char in _BYTE_LEVEL_ALPHABET.items()}


def _spell_byte_level(token: str) -> bytes:
    try:
        return token.translate(_TO_LATIN_1).encode("latin-1")
    except UnicodeEncodeError:  # A token outside the byte alphabet is stored as its own text.
        return token.encode()


def _spell_sentencepiece(token: str) -> bytes:
    byte = _BYTE_TOKEN.fullmatch(token)
    return bytes([int(byte[1], 16)]) if byte else token.replace(_WORD_START, " ").encode()


def _next_sibling(prefix: bytes) -> bytes | None:
    """The smallest bytes above everything that starts with `prefix`; None when there are none."""
    head = prefix.rstrip(b"\xff")
    return head[:-1] + bytes([head[-1] + 1]) if head else None
