"""What fits where."""

from __future__ import annotations

import pytest

from rest_lsp.engine.choice import require_gpu_room
from rest_lsp.errors import ConfigError


def test_a_model_that_is_too_large_for_the_gpu_says_how_much_is_missing() -> None:
    with pytest.raises(ConfigError, match=r"needs 3\.1 GB of GPU memory, and 2\.0 GB are free") as caught:
        require_gpu_room(3_100_000_000, 2_000_000_000)
    assert "smaller model" in caught.value.hint


@pytest.mark.parametrize("free", [None, 3_100_000_000])
def test_a_model_that_fits_passes(free: int | None) -> None:
    require_gpu_room(3_100_000_000, free)
