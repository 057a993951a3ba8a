"""Figures for Prometheus.  No labels that a client chooses, and no code."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from rest_lsp.completion.request import CompletionResult

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4)


class Metrics:
    """Counts what is answered."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "rest_lsp_requests", "Requests that were answered.", ("path", "status"), registry=self._registry
        )
        self._wait = Histogram(
            "rest_lsp_wait_seconds", "From a request to its answer.", buckets=_SECONDS, registry=self._registry
        )
        self._prompt = Counter("rest_lsp_prompt_tokens", "Prompt tokens that were read.", registry=self._registry)
        self._tokens = Counter("rest_lsp_tokens", "Tokens that were decoded.", registry=self._registry)
        self._forwards = Counter("rest_lsp_forwards", "Forward passes of decoding.", registry=self._registry)
        self._accepted = Counter("rest_lsp_accepted", "Decoded tokens that came from drafts.", registry=self._registry)

    def answered(self, path: str, status: int, wait_s: float) -> None:
        """`path` is one of the routes'."""
        self._requests.labels(path, str(status)).inc()
        self._wait.observe(wait_s)

    def completed(self, results: Sequence[CompletionResult]) -> None:
        for result in results:
            self._prompt.inc(max(0, result.prompt_tokens - result.reused))
            self._tokens.inc(result.tokens)
            self._forwards.inc(result.forwards)
            self._accepted.inc(result.accepted)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)
