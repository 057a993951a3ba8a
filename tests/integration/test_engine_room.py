"""A model for which there is no memory: one sentence, whoever ran out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rest_lsp.engine.kv_pool import MAX_BYTES
from rest_lsp.engine.room import needing_room
from rest_lsp.errors import ModelError
from rest_lsp.models.convert import convert
from rest_lsp.models.packed import WeightForm
from tests.engines import SIZES, load_tiny, tiny_engine
from tests.fakes_models import RandomSource, tiny_config


@pytest.mark.parametrize("form", ["int8", "fp32"])
def test_a_cache_that_no_machine_has_room_for(tmp_path: Path, form: WeightForm) -> None:
    config = tiny_config(**{**SIZES, "max_context": 2**40})
    convert(RandomSource(config), tmp_path / form, form=form, name="tiny")
    with pytest.raises(ModelError, match="has no room for tiny"):
        load_tiny(tmp_path / form, form, capacity=2**40)


def test_what_gpus_say_is_understood_and_other_errors_stay() -> None:
    with pytest.raises(ModelError, match="device cuda has no room"), needing_room("large", "cuda"):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
    with pytest.raises(RuntimeError, match="shapes"), needing_room("large", "cuda"):
        raise RuntimeError("shapes do not fit")


def test_three_documents_keep_their_caches_though_these_are_large(tmp_path: Path) -> None:
    engine = tiny_engine(tmp_path, "int8", max_context=100_000, capacity=100_000)
    assert engine.verifier.cache.n_bytes > MAX_BYTES // 2
    assert engine.info.kv_bytes == 3 * engine.verifier.cache.n_bytes
