"""Several suggestions for one place by a real engine: each is what plain decoding draws with its seed."""

from __future__ import annotations

from pathlib import Path

from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.request import CompletionRequest, CompletionResult
from tests.engines import load_tiny, tiny_engine
from tests.fakes_models import SAMPLE
from tests.services import Served, serve

CANDIDATES = 4
PLACES = [len(SAMPLE) - n for n in (0, 25, 70, 120)]


def suggestions(served: Served, request: CompletionRequest) -> list[CompletionResult]:
    """What is shown to somebody who asks by key."""
    first = served.service.complete(request, CancelToken())
    return [first, *served.service.alternatives(request, [first.text], CancelToken())]


def test_alternatives_are_those_of_plain_decoding_and_share_prompt_and_texts(tmp_path: Path) -> None:
    drafting = serve(tiny_engine(tmp_path, "int8"), tmp_path / "int8", candidates=CANDIDATES)
    plain = serve(load_tiny(tmp_path / "int8", "int8"), tmp_path / "int8", {"enabled": False}, candidates=CANDIDATES)
    accepted: dict[str, int] = {}
    for offset in PLACES:
        request = CompletionRequest(SAMPLE, offset, path="notes.txt")
        drafted, expected = suggestions(drafting, request), suggestions(plain, request)
        assert [(one.text, one.token_ids, one.log_probs) for one in drafted] == [
            (one.text, one.token_ids, one.log_probs) for one in expected
        ]
        assert len({one.text for one in drafted}) == len(drafted) > 1
        assert all(other.reused == other.prompt_tokens - 1 for other in drafted[1:]), "the prompt was read once"
        for other in drafted[1:]:
            accepted |= {name: accepted.get(name, 0) + n for name, n in other.accepted_by}
    assert accepted["completions"] > 0, "what they have in common is drafted from the one before"
