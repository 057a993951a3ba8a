"""Stand-ins for completion tests: a small real tokenizer, an engine that follows a script, a golden-file reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.request import Cell, CompletionRequest
from rest_lsp.completion.snapshot import Snapshot, take_snapshot
from rest_lsp.datastore.occurrence import Origin
from rest_lsp.drafting.drafter import Drafter
from rest_lsp.drafting.tree import EMPTY_TREE, DraftTree
from rest_lsp.healing import Healing
from rest_lsp.syntax.place import ParsedDocuments
from rest_lsp.tokenizer import Tokenizer

if TYPE_CHECKING:
    from rest_lsp.engine.sampling import Sampling

GOLDEN = Path(__file__).parent / "golden"
CURSOR = "█"
CONTROLS = ("<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|file_sep|>")
WORDS = (" return", "(self", "self", "print", "def", " the", "    ", "        ", "\n\n", ":\n", " =", "value", " value")


@cache
def small_tokenizer(
    controls: tuple[str, ...] = CONTROLS, words: tuple[str, ...] = WORDS, split: str | None = None
) -> Tokenizer:
    """Byte-level BPE with all bytes and a few words, among them those that a cursor likes to cut.

    `split` is the regular expression that cuts text before merging; without one, that of GPT-2.
    """
    vocabulary = {char: index for index, char in enumerate(_byte_alphabet().values())}
    merges: list[str] = []
    for word in words:
        spelled = "".join(_byte_alphabet()[byte] for byte in word.encode())
        for end in range(2, len(spelled) + 1):
            if spelled[:end] not in vocabulary:
                vocabulary[spelled[:end]] = len(vocabulary)
                merges.append(f"{spelled[: end - 1]} {spelled[end - 1]}")
    added = [{"id": len(vocabulary) + i, "content": name, **_ADDED} for i, name in enumerate(controls)]
    cuts = [{"type": "Split", "pattern": {"Regex": split}, "behavior": "Isolated", "invert": False}] if split else []
    flags = {"add_prefix_space": False, "trim_offsets": True, "use_regex": split is None}
    description: dict[str, Any] = {
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [*cuts, {"type": "ByteLevel", **flags}]},
        "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "vocab": vocabulary, "merges": merges},
    }
    return Tokenizer(description)


def control(name: str) -> int:
    token = small_tokenizer().control_id(name)
    assert token is not None
    return token


@dataclass(frozen=True)
class ScriptedStep:
    tokens: list[int]
    origins: list[Origin | None]
    sources: list[str | None]
    log_probs: list[float]
    drafted: int = 2
    draft_ms: float = 1.0
    learn_ms: float = 0.25
    verify_ms: float = 2.0
    accept_ms: float = 0.5
    tree: DraftTree = EMPTY_TREE
    path: Sequence[int] = ()
    n_rows: int = 3

    @property
    def chances(self) -> list[list[tuple[int, float]]]:
        return [[] for _ in self.tokens]


@dataclass(frozen=True)
class ScriptedPrefill:
    tokens: int = 7
    reused: int = 3
    ms: float = 5.0


@dataclass
class ScriptedEngine:
    """Writes `answer` behind the cursor, then the end token, `group` tokens per forward pass.

    `origin_of(i)` says where token i was drafted (the last of each pass never is); `before_step(k)` runs before pass k.
    """

    answer: str
    group: int = 1
    end: str = "<|endoftext|>"
    log_prob: float = 0.0
    origin_of: Callable[[int], Origin | None] = lambda _: None
    before_step: Callable[[int], None] = lambda _: None
    last_prefill: ScriptedPrefill = field(default_factory=ScriptedPrefill)
    prompts: list[list[int]] = field(default_factory=list)
    contexts: list[list[int]] = field(default_factory=list)
    prefilled: list[list[int]] = field(default_factory=list)

    def prefill(self, prompt: Sequence[int], cancel: CancelToken) -> None:
        cancel.raise_if_cancelled()
        self.prefilled.append(list(prompt))

    def generate(
        self,
        prompt: Sequence[int],
        *,
        context: Sequence[int],
        drafter: Drafter,
        sampling: Sampling,
        healing: Healing | None,
        cancel: CancelToken,
        max_tokens: int,
        n_chances: int = 0,
    ) -> Iterator[ScriptedStep]:
        self.prompts.append(list(prompt))
        self.contexts.append(list(context))
        pending = healing.pending if healing else b""
        ids = [*_spell(pending, self.answer), control(self.end)][:max_tokens]
        for token in ids:
            healing = healing.advance(token) if healing else None
        for number, start in enumerate(range(0, len(ids), self.group)):
            self.before_step(number)
            cancel.raise_if_cancelled()
            tokens = ids[start : start + self.group]
            origins = [*(self.origin_of(i) for i in range(start, start + len(tokens) - 1)), None]
            sources = ["datastore" if origin else None for origin in origins]
            yield ScriptedStep(tokens, origins, sources, [self.log_prob] * len(tokens))


def at_cursor(marked: str, **options: Any) -> CompletionRequest:
    """A request for the place that CURSOR marks."""
    before, cursor, after = marked.partition(CURSOR)
    assert cursor, "the document has no cursor"
    return CompletionRequest(before + after, len(before), **options)


def snapshot_at(marked: str, **options: Any) -> Snapshot:
    return take_snapshot(at_cursor(marked, **options), reach=100_000, documents=ParsedDocuments())


@dataclass(frozen=True)
class Golden:
    """A golden file: `name: value` lines, then `--- section` blocks.  "·" is a blank and "⇥" a tab, to be visible."""

    options: dict[str, str]
    sections: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> Golden:
        head, *blocks = path.read_text(encoding="utf-8").split("--- ")
        options = dict(line.split(": ", 1) for line in head.splitlines() if line)
        line_end = "\r\n" if options.get("line_ends") == "crlf" else "\n"
        sections = {}
        for block in blocks:
            name, _, text = block.partition("\n")
            text = text.removesuffix("\n").replace("·", " ").replace("⇥", "\t")
            sections[name] = text.replace("\n", line_end) if name != "completion" else text
        return cls(options, sections)

    @property
    def request(self) -> CompletionRequest:
        request = at_cursor(self.sections["document"], language=self.options.get("language", ""))
        is_cell = self.options.get("document") == "cell"
        return replace(request, cell=Cell(0, len(request.text))) if is_cell else request

    @property
    def snapshot(self) -> Snapshot:
        return take_snapshot(self.request, reach=100_000, documents=ParsedDocuments())


def golden_files(folder: str) -> list[Path]:
    files = sorted((GOLDEN / folder).glob("*.txt"))
    assert files, f"no golden files in {folder}"
    return files


def _spell(pending: bytes, answer: str) -> list[int]:
    """Ids of both together, as a model would write them, unless `pending` begins within a character."""
    tokenizer = small_tokenizer()
    try:
        return tokenizer.encode(pending.decode() + answer)
    except UnicodeDecodeError:
        vocabulary = tokenizer.sorted_vocabulary
        return [*(int(vocabulary.spelling_exactly(bytes([byte]))[0]) for byte in pending), *tokenizer.encode(answer)]


_ADDED = {"special": True, "normalized": False, "single_word": False, "lstrip": False, "rstrip": False}


@cache
def _byte_alphabet() -> dict[int, str]:
    """GPT-2's printable stand-ins for bytes."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(0x100 + i) for i, byte in enumerate(others)}
