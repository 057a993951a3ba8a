"""llama.cpp as a peer, with a stand-in for its server: what it is asked, and what is made of its answers."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from rest_lsp.bench import rival_llama_cpp
from rest_lsp.bench.direct import Task
from rest_lsp.bench.rival_llama_cpp import PLAIN, WAYS, LlamaCpp
from rest_lsp.completion.prompt import Prompt
from rest_lsp.completion.request import CompletionRequest, StopReason
from rest_lsp.errors import RestLspError
from rest_lsp.tokenizer import Tokenizer
from tests.fakes_models import write_tokenizer

TEXT = "def add(self, other):\n    return self.value\n"


class FirstLine:
    """Done with the first line."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.max_tokens, self.token_ids = 40, list[int]()
        self._tokenizer = tokenizer

    def feed(self, token: int) -> StopReason | None:
        self.token_ids.append(token)
        return StopReason.LINE if b"\n" in self._tokenizer.token_bytes(token) else None


class Server:
    """Answers with the beginning of TEXT; `asked` holds all requests and the parameters of their servers."""

    asked: list[tuple[Any, dict[str, Any]]]
    tokenizer: Tokenizer

    def __init__(self, params: Any) -> None:
        self._params = params

    def handle_completions(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((self._params, request))
        if request["n_predict"] == 0:
            return {"error": {"message": "nothing to do"}}
        tokens = self.tokenizer.encode(TEXT)[: request["n_predict"]]
        timings = {"predicted_n": len(tokens), "predicted_per_token_ms": 20.0, "prompt_ms": 5.0}
        if self._params.speculative.types != ["NONE"]:
            timings |= {"draft_n": 8, "draft_n_accepted": 4}
        finish = "length" if len(tokens) == request["n_predict"] else "stop"
        return {"choices": [{"text": self.tokenizer.decode(tokens), "finish_reason": finish}], "timings": timings}


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return Tokenizer.from_file(write_tokenizer(tmp_path))


@pytest.fixture
def program(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LlamaCpp:
    module: Any = ModuleType("xllamacpp")
    module.__spec__ = ModuleSpec("xllamacpp", None)
    module.Server = type("Recording", (Server,), {"asked": [], "tokenizer": tokenizer})
    kinds = ["none", *(way.kind for way in WAYS)]
    module.common_speculative_type = SimpleNamespace(
        **{f"COMMON_SPECULATIVE_TYPE_{kind.upper()}": kind.upper() for kind in kinds}
    )

    def common_params() -> Any:
        speculative = SimpleNamespace(**{way.kind: SimpleNamespace() for way in WAYS})
        parts = {name: SimpleNamespace() for name in ("model", "cpuparams", "cpuparams_batch")}
        return SimpleNamespace(**parts, speculative=speculative)

    module.CommonParams = common_params
    monkeypatch.setitem(sys.modules, "xllamacpp", module)
    return LlamaCpp(tmp_path / "model.gguf", tokenizer, threads=2, context=512)


def task_of(tokenizer: Tokenizer, name: str = "case") -> Task:
    ids = tokenizer.encode("class Value:\n    ")
    prompt = Prompt(ids, ids, ids, [], [], None)
    return Task(name, CompletionRequest("", 0), prompt, lambda: FirstLine(tokenizer))


def test_plain_ends_where_the_rules_say_and_others_write_as_many_tokens(
    program: LlamaCpp, tokenizer: Tokenizer
) -> None:
    task = task_of(tokenizer)
    way = next(way for way in WAYS if way.values)
    drafted, plain = program.drafted(way, task), program.plain(task)
    line = tokenizer.encode(TEXT)[: len(plain.tokens)]
    assert tokenizer.decode(line).count("\n") == 1
    assert plain.tokens == drafted.tokens == tuple(line)
    assert plain.decode_ms == drafted.decode_ms == pytest.approx(20.0 * len(line))
    assert (plain.forwards, plain.accepted) == (len(line), {})
    assert (drafted.forwards, drafted.accepted, drafted.drafted) == (len(line) - 4, {"n-grams": 4}, 8)


def test_the_servers_get_the_same_model_threads_and_prompt(program: LlamaCpp, tokenizer: Tokenizer) -> None:
    task = task_of(tokenizer)
    for rival in program.rivals():
        rival.run(task)
    asked = sys.modules["xllamacpp"].Server.asked
    assert len(asked) == 1 + len(WAYS)
    for params, request in asked:
        assert params.model.path.endswith("model.gguf")
        assert params.cpuparams.n_threads == params.cpuparams_batch.n_threads == 2
        assert (request["prompt"], request["temperature"]) == (task.ids, 0)
    short = [params for params, _ in asked if getattr(params.speculative.ngram_mod, "n_match", None) == 6]
    assert [params.speculative.types for params in short] == [["NGRAM_MOD"]]


def test_a_refusal_is_told(program: LlamaCpp, tokenizer: Tokenizer) -> None:
    with pytest.raises(RestLspError, match="refuses case: nothing to do"):
        program.ask(PLAIN, task_of(tokenizer), 0)


def test_a_missing_wheel_is_told_with_its_remedy(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(rival_llama_cpp, "find_spec", lambda _name: None)
    with pytest.raises(RestLspError) as told:
        LlamaCpp(tmp_path / "model.gguf", tokenizer, threads=2, context=512)
    assert "rest-lsp[peers]" in str(told.value.hint)
