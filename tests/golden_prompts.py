"""Prompts as ids of real tokenizers, in tests/golden/prompt, and the part of each tokenizer that they need.

    python -m tests.golden_prompts NAME TOKENIZER.json    writes both anew, from the whole tokenizer

A text's ids depend on those tokens alone that it has in it, and what is healed on whether a token begins with the end
of what is typed: the kept part, a hundredth, gives the same ids as the whole.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from rest_lsp.completion.fim import OtherFile, find_family
from rest_lsp.completion.prompt import Prompt, PromptBuilder
from rest_lsp.completion.snapshot import take_snapshot
from rest_lsp.tokenizer import SortedVocabulary, Tokenizer
from tests.fakes_completion import GOLDEN, Golden, golden_files

MAX_TAIL = 32
"""Bytes before the cursor that may be healed."""


def description_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_path_of(name).read_text(encoding="utf-8"))
    return found


@cache
def kept_tokenizer(name: str) -> Tokenizer:
    return Tokenizer(description_of(name), name)


def prompt_of(golden: Golden, tokenizer: Tokenizer) -> Prompt:
    options, request = golden.options, golden.request
    builder = PromptBuilder(
        tokenizer,
        find_family(tokenizer, options["tokenizer"]),
        budget_tokens=int(options.get("budget", "768")),
        anchor_lines=int(options.get("anchor_lines", "4")),
    )
    others = []
    if "other" in golden.sections:
        path, text = options["other_path"] + "\n", golden.sections["other"]
        others.append(OtherFile(tokenizer.encode(path), tokenizer.encode(text)))
    return builder.build_prompt(take_snapshot(request, builder.reach), others, options.get("path", ""))


def ids_text(ids: Iterable[int]) -> str:
    return " ".join(map(str, ids))


def main(name: str, whole_path: Path) -> None:
    description = json.loads(whole_path.read_bytes())
    whole = Tokenizer(description)
    texts, tails = [], set[bytes]()
    for path in golden_files("prompt"):
        golden = Golden.read(path)
        if golden.options["tokenizer"] == name:
            prompt, request = prompt_of(golden, whole), golden.request
            head = path.read_text(encoding="utf-8").partition("--- ids\n")[0]
            answer = f"--- ids\n{ids_text(prompt.ids)}\n--- pending\n{prompt.pending.decode()}\n"
            path.write_text(head + answer, encoding="utf-8")
            texts += [*golden.sections.values(), *(f"{value}\n" for value in golden.options.values())]
            before = request.text[: request.offset].replace("\r\n", "\n").encode()
            tails |= {before[-length:] for length in range(1, MAX_TAIL)}
    kept = json.dumps(_kept(description, whole, "\n".join(texts).encode(), tails), ensure_ascii=False, indent=0)
    _path_of(name).write_text(kept + "\n", encoding="utf-8")


def _kept(description: dict[str, Any], whole: Tokenizer, text: bytes, tails: set[bytes]) -> dict[str, Any]:
    text = text.replace(b"\r\n", b"\n")
    vocabulary, model = whole.sorted_vocabulary, description["model"]
    going_on = {_going_on(tail, vocabulary) for tail in tails if vocabulary.goes_on(tail)}

    named = [entry for entry in description["added_tokens"] if not entry["content"].startswith("[PAD")]
    numbers: dict[str, int] = model["vocab"]
    in_text = {number for number in numbers.values() if b"" != whole.token_bytes(number) in text}
    bytes_alone = {number for number in numbers.values() if len(whole.token_bytes(number)) == 1}
    wanted = in_text | bytes_alone | going_on | {entry["id"] for entry in named}
    kept = {token: number for token, number in numbers.items() if number in wanted}
    merges = [pair for pair in model["merges"] if numbers["".join(pair)] in in_text]
    return {**description, "added_tokens": named, "model": {**model, "vocab": kept, "merges": merges}}


def _going_on(tail: bytes, vocabulary: SortedVocabulary) -> int:
    """One token for which `goes_on` is true."""
    tokens: list[int] = vocabulary.starting_with(tail).tolist()
    return next(token for token in tokens if SortedVocabulary([vocabulary.token_bytes(token)]).goes_on(tail))


def _path_of(name: str) -> Path:
    return GOLDEN / "tokenizers" / f"{name}.json"


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
