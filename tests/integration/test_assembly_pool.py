"""Windows that want the same model share its weights, however long their prompts are."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from rest_lsp.assembly import LoadedModel, fitted
from rest_lsp.assembly_pool import ModelPool
from rest_lsp.config import Settings
from rest_lsp.drafting.drafter import NoDrafter
from rest_lsp.errors import ModelError
from rest_lsp.models.progress import silent
from tests.engines import run
from tests.fakes_models import RandomSource, tiny_config
from tests.files_models import write_hub_folder

SEEN = 1024
PROMPT = [*range(40, 90)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    config = tiny_config(o_bias=False, mlp_bias=False, qk_norm=False, max_context=SEEN)
    write_hub_folder(tmp_path / "tiny", RandomSource(config))
    return tmp_path


def settings(folder: Path, prompt_tokens: int) -> Settings:
    return Settings.model_validate(
        {
            "model": {"name": str(folder / "tiny"), "cache_dir": folder / "cache", "offline": True},
            "device": {"name": "cpu", "dtype": "int8", "threads": 1},
            "completion": {"prompt_tokens": prompt_tokens, "max_tokens_single": 8, "max_tokens_multi": 8},
        }
    )


def written(model: LoadedModel) -> list[int]:
    return run(model.engine, PROMPT, NoDrafter())


@pytest.mark.parametrize("rests", [False, True])
def test_a_window_with_longer_prompts_shares_the_model_of_another(folder: Path, rests: bool) -> None:
    pool = ModelPool()
    first = pool.load(settings(folder, 100), silent)
    before, capacity, kv_bytes = written(first), first.engine.capacity, first.engine.info.kv_bytes
    if rests:
        first.engine.rest()
    second = pool.load(settings(folder, 300), silent)
    assert second is first
    assert first.engine.capacity == capacity + 200
    assert first.engine.info.kv_bytes > kv_bytes
    assert written(first) == before
    assert len(run(first.engine, PROMPT * 5, NoDrafter())) == 40
    first.engine.rest()
    assert written(first) == before
    assert first.engine.capacity == capacity + 200, "also behind a rest"
    assert pool.load(settings(folder, 100), silent) is first
    assert first.engine.capacity == capacity + 200, "nobody's prompts get shorter"


def test_a_model_that_sees_less_is_not_built_again_and_again(folder: Path) -> None:
    pool = ModelPool()
    model = pool.load(settings(folder, 8 * SEEN), silent)
    verifier = model.engine.verifier
    assert pool.load(settings(folder, 9 * SEEN), silent).engine.verifier is verifier
    assert model.engine.capacity == SEEN


def test_without_room_prompts_stay_as_short_as_they_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pool = ModelPool()
    model = pool.load(settings(folder, 100), silent)
    before, capacity = written(model), model.engine.capacity
    build = model.engine._build
    assert build is not None

    def without_room(wanted: int) -> object:
        if wanted > capacity:
            raise ModelError("There is no room.", "Close something.")
        return build(wanted)

    monkeypatch.setattr(model.engine, "_build", without_room)
    wider = settings(folder, 300)
    with caplog.at_level(logging.WARNING):
        assert pool.load(wider, silent) is model
    assert "There is no room." in caplog.text
    assert fitted(wider, model.engine).prompt_tokens == 100
    assert written(model) == before
    verifier = model.engine.verifier
    assert pool.load(wider, silent).engine.verifier is verifier, "it is not tried again"


def test_a_window_that_needs_no_more_room_leaves_a_model_at_rest(folder: Path) -> None:
    pool = ModelPool()
    model = pool.load(settings(folder, 300), silent)
    model.engine.rest()
    assert pool.load(settings(folder, 300), silent) is model
    assert not model.engine.is_loaded


def test_another_model_takes_the_place_of_one_that_nobody_has(folder: Path) -> None:
    pool = ModelPool()
    first = pool.load(settings(folder, 100), silent)
    other = settings(folder, 100)
    other = other.model_copy(update={"device": other.device.model_copy(update={"dtype": "fp32"})})
    assert pool.load(other, silent) is not first
    assert pool.load(settings(folder, 100), silent) is first, "somebody had it still"
