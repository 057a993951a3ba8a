"""What fits where."""

from __future__ import annotations

import pytest
import torch

from rest_lsp.engine.choice import Choice, activation_type, choose_dtype, fitted_dtype, require_gpu_room
from rest_lsp.errors import ConfigError


def test_a_model_that_is_too_large_for_the_gpu_says_how_much_is_missing() -> None:
    with pytest.raises(ConfigError, match=r"needs 3\.1 GB of GPU memory, and 2\.0 GB are free") as caught:
        require_gpu_room(3_100_000_000, 2_000_000_000)
    assert "smaller model" in caught.value.hint


@pytest.mark.parametrize("free", [None, 3_100_000_000])
def test_a_model_that_fits_passes(free: int | None) -> None:
    require_gpu_room(3_100_000_000, free)


def test_int8_stands_in_where_sixteen_bits_do_not_fit_and_nobody_asked_for_them() -> None:
    chosen = Choice("bf16", "the GPU computes in bf16")
    fitted = fitted_dtype(chosen, "auto", 3_100_000_000, 2_000_000_000)
    assert fitted == Choice("int8", "in bf16 it takes 3.1 GB, and 2.0 GB are free")
    assert fitted_dtype(chosen, "auto", 3_100_000_000, 3_100_000_000) is chosen
    assert fitted_dtype(chosen, "auto", 3_100_000_000, None) is chosen
    assert fitted_dtype(chosen, "bf16", 3_100_000_000, 2_000_000_000) is chosen


@pytest.mark.parametrize(
    ("device", "has_bf16", "chosen"),
    [("cuda", True, "bf16"), ("cuda", False, "fp16"), ("mps", True, "bf16"), ("mps", False, "fp16")],
)
def test_a_gpu_computes_in_bf16_where_it_has_it_and_int8_weights_follow(
    monkeypatch: pytest.MonkeyPatch, device: str, has_bf16: bool, chosen: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_options: has_bf16)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_macos_or_newer", lambda _major, _minor: has_bf16)
    assert choose_dtype("auto", device).value == chosen
    assert activation_type("int8", device) == activation_type(chosen, device)


@pytest.mark.parametrize(("wanted", "device"), [("int8", "mps"), ("fp16", "cpu"), ("bf16", "mps")])
def test_a_format_that_the_device_lacks_is_refused(monkeypatch: pytest.MonkeyPatch, wanted: str, device: str) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=f"{wanted} cannot run on {device}"):
        choose_dtype(wanted, device)
