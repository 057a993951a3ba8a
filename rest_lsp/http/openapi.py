"""The OpenAPI document, made of the bodies themselves so that it cannot say anything else."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from rest_lsp.http.bodies import (
    Completion,
    CompletionRequestBody,
    ErrorAnswer,
    Health,
    InfillRequest,
    InfillResponse,
    ModelList,
)
from rest_lsp.version import __version__

_REF = "#/components/schemas/{model}"
_GUARDED = {
    "401": "The token is missing or wrong.",
    "403": "The request comes from a page of a web site.",
    "413": "The body is too large.",
    "408": "The body came too slowly.",
    "421": "The host is not the one that was asked for.",
    "503": "The model is not there, or too many requests wait.",
}
_POSTED = {**_GUARDED, "400": "The body is not what is described here.", "415": "The body is not JSON."}


@lru_cache
def document() -> dict[str, Any]:
    bodies: list[type[BaseModel]] = [InfillRequest, CompletionRequestBody]
    results: list[type[BaseModel]] = [Completion, ErrorAnswer, Health, InfillResponse, ModelList]
    wanted: list[Any] = [(model, "validation") for model in bodies] + [(model, "serialization") for model in results]
    _, schemas = models_json_schema(wanted, ref_template=_REF)
    return {
        "openapi": "3.1.0",
        "info": {"title": "rest-lsp", "version": __version__, "license": {"name": "Apache-2.0"}},
        "security": [{"token": []}],
        "paths": _paths(),
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths() -> dict[str, Any]:
    completion = {"application/json": _schema(Completion), "text/event-stream": {}}
    # With `response_fields` the answer is whatever was asked for.
    infill = {"schema": {"anyOf": [_schema(InfillResponse)["schema"], {"type": "object"}]}}
    infilled = {"application/json": infill, "text/event-stream": {}}
    loading = {"503": _answer("There is no model, or not yet.", {"application/json": _schema(Health)})}
    return {
        "/health": {
            "get": {
                "operationId": "health",
                "security": [],
                "responses": {
                    "200": _answer("Ready to complete.", {"application/json": _schema(Health)}),
                    **_errors(_GUARDED),
                    **loading,
                },
            }
        },
        "/metrics": {
            "get": _get("metrics", "Figures for Prometheus.", {"text/plain": {"schema": {"type": "string"}}}),
        },
        "/v1/models": {"get": _get("models", "The model that is loaded.", {"application/json": _schema(ModelList)})},
        "/v1/completions": {"post": _post("completions", CompletionRequestBody, completion)},
        "/infill": {"post": _post("infill", InfillRequest, infilled)},
    }


def _get(name: str, text: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"operationId": name, "responses": {"200": _answer(text, content), **_errors(_GUARDED)}}


def _post(name: str, body: type[BaseModel], content: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": name,
        "requestBody": {"required": True, "content": {"application/json": _schema(body)}},
        "responses": {"200": _answer("The completion.", content), **_errors(_POSTED)},
    }


def _errors(texts: dict[str, str]) -> dict[str, Any]:
    return {status: _answer(text, {"application/json": _schema(ErrorAnswer)}) for status, text in texts.items()}


def _answer(text: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": content}


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return {"schema": {"$ref": _REF.format(model=model.__name__)}}
