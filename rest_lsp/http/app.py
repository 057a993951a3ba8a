"""The routes: llama.cpp's and OpenAI's names for one and the same completion."""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from rest_lsp.completion.request import CompletionResult, Outcome, Wishes
from rest_lsp.errors import RestLspError
from rest_lsp.http import answers
from rest_lsp.http.bodies import (
    Completion,
    CompletionRequestBody,
    Health,
    InfillRequest,
    Model,
    ModelList,
)
from rest_lsp.http.completer import Asked, Busy, Completer, Gone
from rest_lsp.http.guard import refusal
from rest_lsp.http.metrics import CONTENT_TYPE, Metrics
from rest_lsp.http.openapi import document
from rest_lsp.http.prompts import place_of
from rest_lsp.server.logs import where

log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]
BodyType = TypeVar("BodyType", bound=BaseModel)

_CLIENT_CLOSED = 499


class Application:
    """What is asked of the completer, and how the answers look."""

    def __init__(self, completer: Completer) -> None:
        self._completer = completer
        self._metrics = Metrics()
        self._started = int(time.time())

    def routes(self) -> Starlette:
        handlers: dict[str, tuple[str, Handler]] = {
            "/health": ("GET", self._health),
            "/openapi.json": ("GET", self._openapi),
            "/metrics": ("GET", self._metrics_text),
            "/v1/models": ("GET", self._models),
            "/v1/completions": ("POST", self._completions),
            "/infill": ("POST", self._infill),
        }
        routes = [Route(path, self._answering(path, run), methods=[method]) for path, (method, run) in handlers.items()]
        return Starlette(routes=routes, exception_handlers={HTTPException: _refused_by_routing})

    def _answering(self, path: str, run: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            start = time.perf_counter()
            response = await _without_failing(run, request)
            self._metrics.answered(path, response.status_code, time.perf_counter() - start)
            return response

        return answer

    async def _health(self, request: Request) -> Response:
        state = self._completer.state
        return JSONResponse(Health.model_validate({"status": state}).model_dump(), 200 if state == "ok" else 503)

    async def _openapi(self, request: Request) -> Response:
        return JSONResponse(document())

    async def _metrics_text(self, request: Request) -> Response:
        return Response(self._metrics.text(), media_type=CONTENT_TYPE)

    async def _models(self, request: Request) -> Response:
        model = Model(id=await self._model(), created=self._started)
        return JSONResponse(ModelList(data=[model]).model_dump())

    async def _infill(self, request: Request) -> Response:
        body = await _read(request, InfillRequest)
        before = body.input_prefix + body.prompt
        wishes = Wishes(max_tokens=body.n_predict if body.n_predict > 0 else None, temperature=body.temperature)
        text = before + body.input_suffix
        asked = Asked(text, len(before), body.path, wishes, [_seed(body.seed)], body.input_extra)
        if body.n_predict == 0:
            # llama.vim sends these when it is idle, so that what it shows next is read already.
            await self._completer.read_ahead(asked)
            result = CompletionResult("", asked.offset, asked.offset, Outcome.EMPTY)
        else:
            (result,) = await self._complete(asked, request)
        content, ending = answers.insertion(text, result, body.stop)
        answer = answers.infill_answer(content, ending, result, await self._model()).model_dump()
        if not body.return_tokens:
            answer["tokens"] = []
        if body.stream:
            parts = [{"content": piece, "stop": False} for piece in answers.pieces(content)]
            return _stream([*parts, {**answer, "content": ""}])
        return JSONResponse(
            answer if body.response_fields is None else answers.only_fields(answer, body.response_fields)
        )

    async def _completions(self, request: Request) -> Response:
        body = await _read(request, CompletionRequestBody)
        prompt = body.prompt if isinstance(body.prompt, str) else body.prompt[0]
        place, stops = place_of(prompt, body.suffix), [body.stop] if isinstance(body.stop, str) else body.stop or []
        wishes = Wishes(
            max_tokens=body.max_tokens, temperature=body.temperature, top_p=body.top_p, n_chances=body.logprobs or 0
        )
        first, n = _seed(body.seed), body.n or 1
        # Greedy decoding says the same with every seed.
        seeds = [(first or 0) + number if body.temperature and number else first for number in range(n)]
        results = await self._complete(Asked(place.text, len(place.before), body.path, wishes, seeds), request)
        session = await self._completer.opened()
        choices = []
        for index, result in enumerate(results):
            text, ending = answers.insertion(place.text, result, stops)
            has_logprobs = body.logprobs is not None
            logprobs = answers.logprobs_of(result, session.model.tokenizer, len(prompt)) if has_logprobs else None
            choices.append(answers.choice(index, text, ending, logprobs))
        name = f"cmpl-{secrets.token_hex(12)}"
        whole = Completion(id=name, created=int(time.time()), model=await self._model(), choices=choices)
        usage = answers.usage_of(results)
        if not body.stream:
            return JSONResponse(whole.model_copy(update={"usage": usage}).model_dump())
        events = [event.model_dump() for event in _events(whole)]
        if body.stream_options is not None and body.stream_options.include_usage:
            events.append(whole.model_copy(update={"choices": [], "usage": usage}).model_dump())
        return _stream([*events, "[DONE]"])

    async def _complete(self, asked: Asked, request: Request) -> list[CompletionResult]:
        results = await self._completer.complete(asked, request)
        self._metrics.completed(results)
        return results

    async def _model(self) -> str:
        return str((await self._completer.opened()).status()["model"])


async def _without_failing(run: Handler, request: Request) -> Response:
    try:
        return await run(request)
    except HTTPException as error:
        return _refused(error)
    except Busy:
        return refusal(503, "Too many requests wait; try again soon.", {"Retry-After": "1"})
    except Gone:
        return Response(status_code=_CLIENT_CLOSED)
    except RestLspError as error:
        return refusal(503, str(error))
    except Exception as error:  # noqa: BLE001 - one request fails, and its words may quote a document
        log.error("A request by HTTP failed: %s", where(error))
        return refusal(500, "The request failed; the log says where.")


async def _read(request: Request, body: type[BodyType]) -> BodyType:
    """Raises HTTPException."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, "The body must be application/json.")
    try:
        return body.model_validate_json(await request.body())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise HTTPException(400, f"{where}: {first['msg']}") from None


async def _refused_by_routing(_: Request, error: Exception) -> Response:
    """No such path, or not by this method."""
    assert isinstance(error, HTTPException)
    return _refused(error)


def _refused(error: HTTPException) -> Response:
    return refusal(error.status_code, error.detail, dict(error.headers or {}))


def _events(whole: Completion) -> Iterator[Completion]:
    """The text of each choice piece by piece, then why it ended."""
    for choice in whole.choices:
        for piece in answers.pieces(choice.text):
            part = choice.model_copy(update={"text": piece, "finish_reason": None, "logprobs": None})
            yield whole.model_copy(update={"choices": [part]})
        yield whole.model_copy(update={"choices": [choice.model_copy(update={"text": ""})]})


def _stream(events: Iterable[dict[str, Any] | str]) -> Response:
    lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return StreamingResponse((f"data: {line}\n\n" for line in lines), media_type="text/event-stream")


def _seed(given: int | None) -> int | None:
    """llama.cpp's -1 leaves the seed to the server."""
    return None if given is None or given < 0 else given
