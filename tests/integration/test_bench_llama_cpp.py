"""llama.cpp as a peer, with a stand-in for its server: what it is asked, and what is made of its answers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

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


XLLAMACPP = '''
"""Answers with the beginning of a text; writes down what it is asked, and with what parameters."""
import json, os
from pathlib import Path
from types import SimpleNamespace

HERE = Path(__file__).parent


class Values(SimpleNamespace):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        setattr(self, name, Values())
        return getattr(self, name)


class Kinds:
    def __getattr__(self, name):
        return name.removeprefix("COMMON_SPECULATIVE_TYPE_")


CommonParams, common_speculative_type = Values, Kinds()


class Server:
    def __init__(self, params):
        if not Path(params.model.path).exists():
            os._exit(3)
        self.params = json.loads(json.dumps(params, default=vars))

    def handle_completions(self, request):
        spins = os.environ.get("GOMP_SPINCOUNT")
        with open(HERE / "asked.jsonl", "a") as file:
            file.write(json.dumps([self.params, request, os.getpid(), spins]) + "\\n")
        if request["n_predict"] == 0:
            return {"error": {"message": "nothing to do"}}
        pieces = json.loads((HERE / "pieces.json").read_text())[: request["n_predict"]]
        timings = {"predicted_n": len(pieces), "predicted_per_token_ms": 20.0, "prompt_ms": 5.0}
        if self.params["speculative"]["types"] != ["NONE"]:
            timings |= {"draft_n": 8, "draft_n_accepted": 4}
        finish = "length" if len(pieces) == request["n_predict"] else "stop"
        return {"choices": [{"text": "".join(pieces), "finish_reason": finish}], "timings": timings}
'''


class Asked(NamedTuple):
    """One request, and of its server the parameters, the process and how its threads wait."""

    params: dict[str, Any]
    request: dict[str, Any]
    process: int
    spins: str | None


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return Tokenizer.from_file(write_tokenizer(tmp_path))


@pytest.fixture
def program(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LlamaCpp]:
    (tmp_path / "xllamacpp.py").write_text(XLLAMACPP)
    (tmp_path / "pieces.json").write_text(json.dumps([tokenizer.decode([token]) for token in tokenizer.encode(TEXT)]))
    (tmp_path / "model.gguf").write_bytes(b"")
    monkeypatch.syspath_prepend(tmp_path)
    program = LlamaCpp(tmp_path / "model.gguf", tokenizer, threads=2, context=512)
    yield program
    program.close()


def asked_in(folder: Path) -> Sequence[Asked]:
    return [Asked(*json.loads(line)) for line in (folder / "asked.jsonl").read_text().splitlines()]


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


def test_the_servers_get_the_same_model_threads_and_prompt(
    program: LlamaCpp, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    task = task_of(tokenizer)
    for rival in program.rivals():
        rival.run(task)
    asked = asked_in(tmp_path)
    assert len(asked) == 1 + len(WAYS)
    for params, request, _, _ in asked:
        assert params["model"]["path"].endswith("model.gguf")
        assert params["cpuparams"]["n_threads"] == params["cpuparams_batch"]["n_threads"] == 2
        assert (request["prompt"], request["temperature"]) == (list(task.ids), 0)
    short = [params for params, _, _, _ in asked if params["speculative"].get("ngram_mod", {}).get("n_match") == 6]
    assert [params["speculative"]["types"] for params in short] == [["NGRAM_MOD"]]


def test_each_server_has_a_process_whose_threads_wait_as_its_authors_meant(
    program: LlamaCpp, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    task, way = task_of(tokenizer), WAYS[0]
    program.plain(task)
    program.drafted(way, task)
    program.drafted(way, task)
    plain, drafted, again = asked_in(tmp_path)
    assert len({os.getpid(), plain.process, drafted.process}) == 3
    assert again.process == drafted.process
    assert os.environ["GOMP_SPINCOUNT"]
    assert {plain.spins, drafted.spins} == {None}


def test_a_server_that_dies_is_told(program: LlamaCpp, tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "model.gguf").unlink()
    with pytest.raises(RestLspError, match=r"llama.cpp has ended while it read or ran .*model\.gguf"):
        program.plain(task_of(tokenizer))


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
