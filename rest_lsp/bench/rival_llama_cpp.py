"""llama.cpp through the xllamacpp wheel, on the same GGUF file: plain, and with each way to draft from n-grams.

One server per way.  It answers with text, so what it wrote is encoded again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rest_lsp.bench.direct import Decoded, Task
from rest_lsp.bench.llama_server import ServerOptions, ServerProcess, Way
from rest_lsp.errors import RestLspError
from rest_lsp.tokenizer import Tokenizer

MOST_DRAFTED = 64
"""Room in the context for one draft."""


PLAIN = Way("llama.cpp", "none")
WAYS = (
    Way("llama.cpp ngram-simple", "ngram_simple"),
    Way("llama.cpp ngram-map-k", "ngram_map_k"),
    Way("llama.cpp ngram-map-k4v", "ngram_map_k4v"),
    Way("llama.cpp ngram-mod", "ngram_mod"),
    Way("llama.cpp ngram-cache", "ngram_cache"),
    Way("llama.cpp ngram-simple, short", "ngram_simple", {"size_n": 4, "size_m": 8}),
    Way("llama.cpp ngram-map-k, short", "ngram_map_k", {"size_n": 4, "size_m": 8}),
    Way("llama.cpp ngram-map-k4v, short", "ngram_map_k4v", {"size_n": 4, "size_m": 8}),
    Way("llama.cpp ngram-mod, short", "ngram_mod", {"n_match": 6, "n_min": 1, "n_max": 8}),
)
"""Its defaults are made for long edits of long texts (n-grams of 12 and 24 tokens, drafts of 48 and more) and hardly
ever draft in a completion; so each way is measured with short n-grams and drafts as well."""


class LlamaCpp:
    """The GGUF file with one server for each way, loaded when it is first asked."""

    def __init__(self, gguf: Path, tokenizer: Tokenizer, *, threads: int, context: int) -> None:
        if find_spec("xllamacpp") is None:
            raise RestLspError("llama.cpp needs xllamacpp.", 'Install it: pip install "rest-lsp[peers]".')
        self._gguf, self.tokenizer = gguf, tokenizer
        self._threads, self._context = threads, context + MOST_DRAFTED
        self._servers: dict[str, ServerProcess] = {}
        self._lengths: dict[str, int] = {}

    def rivals(self) -> Iterable[LlamaRival]:
        """Plain first."""
        return [LlamaRival(self, way) for way in (PLAIN, *WAYS)]

    def plain(self, task: Task) -> Decoded:
        """Written without speculation until the rules say done.

        It is let run on to the rules' limit, since only text shows where they stop; its pace is taken of all of it.
        """
        answer = self.ask(PLAIN, task, task.new_rules().max_tokens)
        rules = task.new_rules()
        tokens = self.tokenizer.encode(answer["choices"][0]["text"])
        is_done = any(rules.feed(token) is not None for token in tokens)
        # An end by a control token leaves no text, but was a pass like any other.
        was_ended = not is_done and answer["choices"][0]["finish_reason"] == "stop"
        self._lengths[task.id] = len(rules.token_ids) + was_ended
        return decoded(answer, rules.token_ids, self._lengths[task.id])

    def drafted(self, way: Way, task: Task) -> Decoded:
        """Written with `way`, as many tokens as plain."""
        if task.id not in self._lengths:
            self.plain(task)
        answer = self.ask(way, task, self._lengths[task.id])
        return decoded(answer, self.tokenizer.encode(answer["choices"][0]["text"]), self._lengths[task.id])

    def ask(self, way: Way, task: Task, n_tokens: int) -> dict[str, Any]:
        """Greedy, with the KV cache of the same prompt kept."""
        if way.name not in self._servers:
            options = ServerOptions(str(self._gguf), self._threads, self._context, way)
            self._servers[way.name] = ServerProcess(options)
        answer = self._servers[way.name].ask(
            {"prompt": list(task.ids), "n_predict": n_tokens, "temperature": 0, "cache_prompt": True}
        )
        if "error" in answer:
            reason = answer["error"].get("message", "no reason given")
            raise RestLspError(f"llama.cpp refuses {task.id}: {reason}", "Leave it out with --peers.")
        return answer

    def close(self) -> None:
        """End all servers."""
        for server in self._servers.values():
            server.close()
        self._servers.clear()


@dataclass(frozen=True)
class LlamaRival:
    """One way as a rival of ours."""

    program: LlamaCpp
    way: Way
    plain_name: str = PLAIN.name

    @property
    def name(self) -> str:
        return self.way.name

    @property
    def settings(self) -> str:
        return self.way.settings

    def run(self, task: Task) -> Decoded:
        return self.program.plain(task) if self.way is PLAIN else self.program.drafted(self.way, task)


def decoded(answer: Mapping[str, Any], tokens: Iterable[int], n_tokens: int) -> Decoded:
    """Its clock starts with the first token in hand, and it divides by the tokens behind that one, as it should."""
    timings = answer["timings"]
    n_accepted = int(timings.get("draft_n_accepted", 0))
    n_passes = int(timings["predicted_n"]) - n_accepted
    return Decoded(
        tokens=tuple(tokens),
        decode_ms=float(timings["predicted_per_token_ms"] or 0.0) * n_tokens,
        forwards=round(n_passes * n_tokens / max(1, int(timings["predicted_n"]))),
        accepted={"n-grams": n_accepted} if n_accepted else {},
        drafted=int(timings.get("draft_n", 0)),
        prefill_ms=float(timings["prompt_ms"]),
    )
