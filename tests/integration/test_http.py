"""`rest-lsp serve --http` as a process: the clients' own requests in, the text of `rest-lsp complete` out."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import openai
import pytest

from tests.e2e.conftest import WAYS, served
from tests.files_cli import rest_lsp
from tests.files_http import COLUMN, FILE, LINE, PATIENCE_S, TOKEN, Door, around, make_http_place, opened_door

# What llama.vim sends, from autoload/llama.vim of https://github.com/ggml-org/llama.vim.
LLAMA_VIM: dict[str, Any] = {
    "id_slot": 0,
    "input_extra": [{"text": "def add(value, other):\n", "time": [1, 2], "filename": "other.py"}],
    "n_predict": 128,
    "stop": [],
    "n_indent": 4,
    "top_k": 40,
    "top_p": 0.90,
    "samplers": ["top_k", "top_p", "infill"],
    "stream": False,
    "cache_prompt": True,
    "t_max_prompt_ms": 500,
    "t_max_predict_ms": 1000,
    "response_fields": [
        "content",
        "timings/prompt_n",
        "timings/prompt_ms",
        "timings/prompt_per_token_ms",
        "timings/prompt_per_second",
        "timings/predicted_n",
        "timings/predicted_ms",
        "timings/predicted_per_token_ms",
        "timings/predicted_per_second",
        "truncated",
        "tokens_cached",
    ],
}


@pytest.fixture(scope="module", params=WAYS)
def door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    flags = ["--in-process"] if request.param == "in process" else []
    with served(request.param), opened_door(make_http_place(tmp_path_factory.mktemp("http")), *flags) as door:
        door.wait_until_ready()
        yield door


@pytest.fixture(scope="module")
def expected(door: Door) -> dict[str, Any]:
    """What `rest-lsp complete` says."""
    return completed(door, LINE, COLUMN)


def completed(door: Door, line: int, column: int) -> dict[str, Any]:
    arguments = ("complete", FILE, "--line", str(line), "--column", str(column), "--json")
    done = rest_lsp(*arguments, place=door.place, cwd=door.place.workspace)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_llama_vim_gets_the_text_of_complete_and_the_timings(door: Door, expected: dict[str, Any]) -> None:
    before, after = around()
    head, _, typed = before.rpartition("\n")
    request = {**LLAMA_VIM, "input_prefix": head + "\n", "prompt": typed, "input_suffix": after, "path": FILE}
    answer = door.ask("/infill", request)
    assert answer["content"] == expected["text"] != ""
    assert set(answer) == set(LLAMA_VIM["response_fields"])
    assert answer["timings/predicted_n"] == expected["tokens"]


def test_infill_tells_tokens_and_what_drafts_saved(door: Door, expected: dict[str, Any]) -> None:
    before, after = around()
    answer = door.ask("/infill", {"input_prefix": before, "input_suffix": after, "return_tokens": True})
    assert answer["tokens_predicted"] == len(answer["tokens"]) > 0
    assert answer["stop"] is True
    assert answer["rest"]["forwards"] >= 1
    assert answer["model"] == expected["model"]


@pytest.mark.parametrize(("line", "column"), [(0, 8), (1, 4), (4, 18), (5, 7)])
def test_every_client_gets_the_tokens_of_complete(door: Door, client: openai.OpenAI, line: int, column: int) -> None:
    before, after = around(line, column)
    expected, by_infill = completed(door, line, column), door.fill_in(line, column)
    answer = client.completions.create(model="any", prompt=before, suffix=after, logprobs=1, extra_body={"path": FILE})
    probabilities, usage = answer.choices[0].logprobs, answer.usage
    assert by_infill["tokens"] == expected["token_ids"] != []
    assert by_infill["content"] == answer.choices[0].text == expected["text"]
    assert usage is not None
    assert usage.completion_tokens == expected["tokens"]
    assert probabilities is not None
    assert len(probabilities.tokens or ()) == len(expected["token_ids"])


def test_llama_vim_may_warm_the_cache(door: Door) -> None:
    answer = door.ask("/infill", {**LLAMA_VIM, "input_prefix": "", "input_suffix": "", "prompt": "", "n_predict": 0})
    assert answer["content"] == ""


def test_a_stop_text_is_left_out_with_all_that_follows(door: Door, expected: dict[str, Any]) -> None:
    before, after = around()
    last = expected["text"][-1]
    request = {"input_prefix": before, "input_suffix": after, "stop": [last], "path": FILE}
    answer = door.ask("/infill", request)
    assert answer["content"] == expected["text"].partition(last)[0]
    assert answer["stop_type"] == "word"


@pytest.fixture
def client(door: Door) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{door.url}/v1", api_key=TOKEN, max_retries=0)


def test_openai_client_streams_a_completion_with_a_suffix(client: openai.OpenAI, expected: dict[str, Any]) -> None:
    before, after = around()
    stream = client.completions.create(model="any", prompt=before, suffix=after, stream=True, extra_body={"path": FILE})
    choices = [event.choices[0] for event in stream]
    assert "".join(choice.text for choice in choices) == expected["text"]
    assert [choice.finish_reason for choice in choices[:-1]] == [None] * (len(choices) - 1)
    assert choices[-1].finish_reason in ("stop", "length")


@pytest.mark.parametrize("is_list", [False, True])
def test_openai_client_is_told_no_more_when_a_stop_text_comes(
    client: openai.OpenAI, expected: dict[str, Any], is_list: bool
) -> None:
    before, after = around()
    last = expected["text"][-1]
    stop = ["never written", last] if is_list else last
    answer = client.completions.create(model="any", prompt=before, suffix=after, stop=stop, extra_body={"path": FILE})
    assert answer.choices[0].text == expected["text"].partition(last)[0]
    assert answer.choices[0].finish_reason == "stop"


def test_markers_in_the_prompt_mean_the_same_as_a_suffix(client: openai.OpenAI, expected: dict[str, Any]) -> None:
    before, after = around()
    prompt = f"<|fim_prefix|>{before}<|fim_suffix|>{after}<|fim_middle|>"
    answer = client.completions.create(model="any", prompt=prompt, extra_body={"path": FILE})
    assert answer.choices[0].text == expected["text"]


def test_several_choices_are_drawn_by_seed(client: openai.OpenAI) -> None:
    before, after = around()

    def texts(n: int, seed: int) -> list[str]:
        answer = client.completions.create(model="any", prompt=before, suffix=after, n=n, seed=seed, temperature=1.5)
        return [choice.text for choice in answer.choices]

    assert texts(3, 5) == [*texts(1, 5), *texts(1, 6), *texts(1, 7)]


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_log_probabilities_and_usage(client: openai.OpenAI, temperature: float) -> None:
    before, after = around()
    answer = client.completions.create(
        model="any", prompt=before, suffix=after, logprobs=3, max_tokens=2, temperature=temperature, seed=1
    )
    found = answer.choices[0].logprobs
    assert found is not None
    assert found.token_logprobs is not None
    assert found.tokens is not None
    assert len(found.tokens) == len(found.token_logprobs) == 2
    assert all(value <= 0 for value in found.token_logprobs)
    assert found.top_logprobs is not None
    for token, value, top in zip(found.tokens, found.token_logprobs, found.top_logprobs, strict=True):
        assert 3 <= len(top) <= 4, "the token itself may be a fourth"
        assert top[token] == value
        assert temperature or value == max(top.values())
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 2
    assert answer.choices[0].finish_reason == "length"


def test_models_health_and_metrics(door: Door, client: openai.OpenAI, expected: dict[str, Any]) -> None:
    assert [model.id for model in client.models.list()] == [expected["model"]]
    assert door.ask("/health") == {"status": "ok"}
    with urlopen(Request(door.url + "/metrics", headers={"X-Api-Key": TOKEN}), timeout=PATIENCE_S) as answer:
        text = answer.read().decode()
    assert 'rest_lsp_requests_total{path="/health",status="200"}' in text
    assert "rest_lsp_forwards_total" in text


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (401, {}),
        (401, {"Authorization": "Bearer wrong"}),
        (401, {"Authorization": f"Basic {TOKEN}"}),
        (403, {"Authorization": f"Bearer {TOKEN}", "Origin": "https://evil.example"}),
        (403, {"Authorization": f"Bearer {TOKEN}", "Sec_Fetch_Site": "cross-site"}),
        (421, {"Authorization": f"Bearer {TOKEN}", "Host": "evil.example"}),
        (421, {"Authorization": f"Bearer {TOKEN}", "Host": "evil.example:8012"}),
        (413, {"Authorization": f"Bearer {TOKEN}", "Content_Length": "100000000"}),
        (415, {"Authorization": f"Bearer {TOKEN}", "Content_Type": "text/plain"}),
        (400, {"Authorization": f"Bearer {TOKEN}", "Content_Type": "application/json"}),
    ],
    ids=["no token", "wrong", "basic", "origin", "site", "host", "host and port", "100 MB", "form", "no JSON"],
)
def test_what_is_refused(door: Door, status: int, headers: dict[str, str]) -> None:
    assert door.status("POST", "/infill", b"{", **headers) == status


def test_a_body_that_grows_too_large_is_refused_in_the_middle(door: Door) -> None:
    with socket.create_connection(("127.0.0.1", door.port), timeout=PATIENCE_S) as connected:
        head = f"POST /infill HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
        connected.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
        # How much fits in between is the system's business.
        with contextlib.suppress(OSError):
            for _ in range(100):
                connected.sendall(b"100000\r\n" + b"x" * (1 << 20) + b"\r\n")
        assert connected.recv(100).startswith(b"HTTP/1.1 413")


def test_a_body_that_does_not_come_is_not_waited_for(door: Door) -> None:
    with socket.create_connection(("127.0.0.1", door.port), timeout=PATIENCE_S) as connected:
        head = (
            f"POST /infill HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 100\r\n\r\n"
        )
        connected.sendall(head.encode() + b"{")
        assert connected.recv(100).startswith(b"HTTP/1.1 408")


def test_the_token_is_made_once_and_for_this_user_alone(tmp_path: Path) -> None:
    from rest_lsp.http.address import token_in

    token = token_in(tmp_path / "cache")
    assert len(token) > 30
    assert token_in(tmp_path / "cache") == token
    if os.name == "posix":
        assert (tmp_path / "cache" / "http-token").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["\0", "a\0b.py"])
def test_other_files_may_have_names_that_no_file_can_have(door: Door, name: str) -> None:
    before, after = around()
    extra = [{"text": "def add(value, other):\n", "filename": name}]
    answer = door.ask("/infill", {"input_prefix": before, "input_suffix": after, "path": FILE, "input_extra": extra})
    assert answer["content"] == door.fill_in()["content"]


def test_what_is_published_is_what_is_answered(door: Door) -> None:
    """Right and wrong requests of the published document, made and judged by schemathesis."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{door.url}/openapi.json"]
    options = ["--header", f"Authorization: Bearer {TOKEN}", "--max-examples", "20", "--seed", "8", "--no-color"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout
