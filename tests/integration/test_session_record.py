"""What a real session's completions leave in the record."""

from __future__ import annotations

from pathlib import Path

import pytest

from rest_lsp.assembly_session import Session, open_session
from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.request import CompletionRequest, CompletionResult
from rest_lsp.config import Settings
from rest_lsp.history.completions import completion, last_completions
from rest_lsp.history.schema import open_to_read
from rest_lsp.server.history import History
from rest_lsp.server.recorder import Recorder
from tests.fakes_models import RandomSource, tiny_config
from tests.files_models import write_hub_folder
from tests.histories import everything_in

DEADLINE_S = 60.0
CODE = "def add(self, other):\n    return self.value + other.value\n"
REQUEST = CompletionRequest(CODE + "def add(self, oth", len(CODE) + 17, path="mine.py", language="plaintext")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    write_hub_folder(
        tmp_path / "tiny",
        RandomSource(tiny_config(o_bias=False, mlp_bias=False, qk_norm=False, max_context=4096)),
    )
    return Settings.model_validate(
        {
            "model": {"name": str(tmp_path / "tiny"), "cache_dir": tmp_path / "cache", "offline": True},
            "device": {"name": "cpu", "dtype": "fp32", "threads": 1},
            "completion": {"max_tokens_single": 8, "max_tokens_multi": 8},
            "drafting": {"fixed_nodes": 4},
            "datastore": {"enabled": False},
        }
    )


def recorded_texts(session: Session, settings: Settings) -> list[object]:
    """Of the drafted tokens of one more completion, as the record has them."""
    recorder = Recorder(lambda: session)
    recorder.configure(settings, Path("/home/me/project"))
    result: CompletionResult = session.service.complete(REQUEST, CancelToken())
    History(recorder).record(result.outcome, 12.0, result, suggestion="s1", path="mine.py")
    recorder.close(DEADLINE_S)
    connection = open_to_read(settings.history_file)
    found = completion(connection, last_completions(connection)[0]["id"])
    assert found is not None
    return [node["text"] for each in found["passes"] for node in each["nodes"]]


def test_code_is_in_the_record_only_while_that_is_turned_on(settings: Settings) -> None:
    on = settings.model_copy(update={"history": settings.history.model_copy(update={"with_code": True})})
    session = open_session(settings, [])
    try:
        without = recorded_texts(session, settings)
        assert without
        assert set(without) == {None}
        assert "value" not in everything_in(settings.history_file)
        assert session.apply(on, [])
        texts = recorded_texts(session, on)
        assert any(isinstance(text, str) and text.strip() and text in CODE for text in texts)
        assert session.apply(settings, [])
        assert set(recorded_texts(session, settings)) == {None}
    finally:
        session.close()
