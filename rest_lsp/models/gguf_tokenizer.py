"""Writes the tokenizer.json that a GGUF vocabulary describes.  Pure; knows nothing about weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rest_lsp.errors import ModelError

# Token types of the GGUF specification.
_UNKNOWN, _CONTROL, _USER_DEFINED, _UNUSED = 2, 3, 4, 5
_NOT_TEXT = frozenset({_UNKNOWN, _CONTROL, _USER_DEFINED, _UNUSED})

_ENGLISH_ENDINGS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_LLAMA3 = _ENGLISH_ENDINGS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + _SPACES
_QWEN2 = _ENGLISH_ENDINGS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + _SPACES
_SEED_CODER = _ENGLISH_ENDINGS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|" + _SPACES
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_TEKKEN = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + _SPACES
)
_SPLITS = {"llama3": _LLAMA3, "qwen2": _QWEN2, "seed-coder": _SEED_CODER, "tekken": _TEKKEN}
_KINDS = {
    **dict.fromkeys(("llama3", "llama-v3", "llama-bpe", "falcon3", "smaug-bpe", "pixtral"), "llama3"),
    **dict.fromkeys(("qwen2", "deepseek-r1-qwen"), "qwen2"),
    "seed-coder": "seed-coder",
    "tekken": "tekken",
    **dict.fromkeys(("starcoder", "refact", "command-r", "smollm", "codeshell"), "digits"),
    **dict.fromkeys(("gpt-2", "phi-2", "mellum"), "gpt-2"),
}
_WHOLE_WORDS = frozenset({"llama3", "tekken"})


@dataclass(frozen=True, slots=True)
class GgufVocabulary:
    """The `tokenizer.ggml.*` entries; `types` and `scores` may be empty, `merges` is empty for SentencePiece."""

    model: str
    pre: str
    tokens: Sequence[str]
    types: Sequence[int]
    merges: Sequence[str]
    scores: Sequence[float]


def tokenizer_json(vocabulary: GgufVocabulary, where: str) -> bytes:
    """A Hugging Face tokenizer.json with the same ids.  Raises ModelError for a vocabulary of an unknown kind."""
    if vocabulary.model == "gpt2":
        described = _byte_level(vocabulary, where)
    elif vocabulary.model == "llama":
        described = _sentencepiece(vocabulary)
    else:
        raise ModelError(
            f"The vocabulary of {where} is of kind {vocabulary.model!r}, which cannot be read.",
            "Use the model's safetensors folder with its tokenizer.json instead.",
        )
    wrapped = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": _added(vocabulary)}
    return json.dumps({**wrapped, **described, "post_processor": None}, ensure_ascii=False).encode()


def _added(vocabulary: GgufVocabulary) -> list[dict[str, Any]]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    typed = enumerate(zip(vocabulary.tokens, vocabulary.types, strict=False))
    return [{"id": token, "content": text, **flags} for token, (text, kind) in typed if kind in _NOT_TEXT]


def _byte_level(vocabulary: GgufVocabulary, where: str) -> dict[str, Any]:
    kind = _KINDS.get(vocabulary.pre)
    if kind is None:
        raise ModelError(
            f"{where} splits text by the rule {vocabulary.pre!r}, which rest-lsp does not know.",
            "Use the model's safetensors folder with its tokenizer.json instead.",
        )
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": kind not in _SPLITS,
    }
    steps: list[dict[str, Any]] = [byte_level]
    if kind == "digits":
        steps.insert(0, {"type": "Digits", "individual_digits": True})
    elif kind in _SPLITS:
        pattern = {"Regex": _SPLITS[kind]}
        steps.insert(0, {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False})
    model = {
        "type": "BPE",
        "vocab": {text: token for token, text in enumerate(vocabulary.tokens)},
        "merges": [merge.split(" ", 1) for merge in vocabulary.merges],
        "ignore_merges": kind in _WHOLE_WORDS,
    }
    return {
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
        "decoder": {**byte_level, "use_regex": True},
        "model": model,
    }


def _sentencepiece(vocabulary: GgufVocabulary) -> dict[str, Any]:
    ids = {text: token for token, text in enumerate(vocabulary.tokens)}
    model = {
        "type": "BPE",
        "vocab": ids,
        "merges": _merges_from_scores(ids, vocabulary.scores),
        "byte_fallback": True,
        "fuse_unk": True,
    }
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
    return {"normalizer": replace, "pre_tokenizer": None, "decoder": {"type": "ByteFallback"}, "model": model}


def _merges_from_scores(ids: dict[str, int], scores: Sequence[float]) -> list[list[str]]:
    """SentencePiece joins the neighbours whose union scores highest: every split of a token is a merge of its score."""
    ranked: list[tuple[float, int, int, list[str]]] = []
    for text, token in ids.items():
        for cut in range(1, len(text)):
            left, right = ids.get(text[:cut]), ids.get(text[cut:])
            if left is not None and right is not None:
                ranked.append((-scores[token], left, right, [text[:cut], text[cut:]]))
    return [pieces for *_, pieces in sorted(ranked)]
