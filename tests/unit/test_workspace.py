"""What a workspace's settings mean: its root, its model, and one tokenizer whichever command came first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rest_lsp.assembly_model import Facts, automatic_model, choose_model
from rest_lsp.cli_index import workspace_status
from rest_lsp.config import DatastoreOptions, DeviceOptions, ModelOptions, Settings
from rest_lsp.errors import ConfigError, ModelError
from rest_lsp.models.catalogue import load_catalogue
from rest_lsp.models.packed import FORMAT_VERSION
from rest_lsp.models.store import ModelStore
from rest_lsp.models.tokenizer_file import converted_forms, find_tokenizer, obtain_tokenizer
from rest_lsp.workspace import (
    find_root,
    keep_automatic_model,
    likely_device,
    likely_dtype,
    model_name,
    require_folder,
)
from tests.fakes_models import RandomSource, tiny_config
from tests.files_models import write_hub_folder


@pytest.mark.parametrize("marker", [".git", "rest-lsp.toml"])
def test_the_root_is_the_nearest_folder_with_a_mark(tmp_path: Path, marker: str) -> None:
    inside = tmp_path / "outer" / "project" / "src" / "deep"
    inside.mkdir(parents=True)
    for folder in ("outer", "outer/project"):
        (tmp_path / folder / marker).touch()
    assert find_root(inside) == (tmp_path / "outer" / "project").resolve()


def test_a_workspace_must_be_a_folder(tmp_path: Path) -> None:
    assert require_folder(tmp_path) == tmp_path.resolve()
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is a file"):
        require_folder(tmp_path / "file")


def test_the_automatic_model_depends_on_the_device(tmp_path: Path) -> None:
    def name(model: str, device: str, decided: str | None = None) -> str:
        settings = Settings(
            model=ModelOptions(name=model, cache_dir=tmp_path), device=DeviceOptions.model_validate({"name": device})
        )
        return model_name(settings, device=decided)

    assert name("auto", "cpu") == "qwen2.5-coder-0.5b"
    assert name("auto", "cuda") == "qwen2.5-coder-1.5b"
    assert name("auto", "auto", "cpu") == "qwen2.5-coder-0.5b"
    assert name("auto", "auto", "cuda") == "qwen2.5-coder-1.5b"
    assert name("./mine.gguf", "cuda") == "./mine.gguf"


@pytest.mark.parametrize(
    ("facts", "name", "reason"),
    [
        (Facts("cuda", 8 * 10**9, None, is_here=False), "qwen2.5-coder-1.5b", "has room"),
        (Facts("cuda", 3 * 10**9, None, is_here=True), "qwen2.5-coder-0.5b", "3.0 GB are free"),
        (Facts("mps", None, None, is_here=False), "qwen2.5-coder-1.5b", "has room"),
        (Facts("cpu", 8 * 10**9, None, is_here=True), "qwen2.5-coder-0.5b", "not been measured"),
        (Facts("cpu", 8 * 10**9, 20.0, is_here=True), "qwen2.5-coder-0.5b", "20.0 ms per token"),
        (Facts("cpu", 8 * 10**9, 5.0, is_here=True), "qwen2.5-coder-1.5b", "5.0 ms per token"),
        (Facts("cpu", 2 * 10**9, 5.0, is_here=True), "qwen2.5-coder-0.5b", "2.0 GB are free"),
        (Facts("cpu", 8 * 10**9, 5.0, is_here=False), "qwen2.5-coder-0.5b", "models pull"),
    ],
)
def test_the_automatic_model_goes_by_memory_and_speed(facts: Facts, name: str, reason: str) -> None:
    chosen = automatic_model(facts)
    assert chosen.value == name
    assert reason in chosen.reason


def test_what_was_loaded_automatically_is_known_to_all_commands(tmp_path: Path) -> None:
    settings = Settings(model=ModelOptions(cache_dir=tmp_path), device=DeviceOptions(name="cuda"))
    assert model_name(settings) == "qwen2.5-coder-1.5b"
    keep_automatic_model(settings, "cuda", "qwen2.5-coder-0.5b")
    assert model_name(settings) == model_name(settings, device="cuda") == "qwen2.5-coder-0.5b"
    assert choose_model(settings.model_copy(update={"model": ModelOptions(name="mine")}), "cpu", 1.0).value == "mine"
    (tmp_path / "automatic-cuda.txt").write_text("something else")
    assert model_name(settings) == "qwen2.5-coder-1.5b"


def test_device_and_form_are_told_without_torch() -> None:
    def form(device: str, dtype: str = "auto") -> tuple[str, str]:
        settings = Settings(device=DeviceOptions.model_validate({"name": device, "dtype": dtype}))
        return likely_device(settings), likely_dtype(settings)

    assert form("cpu") == ("cpu", "int8")
    assert form("cuda") == ("cuda", "bf16 or fp16")
    assert form("mps") == ("mps", "fp16")
    assert form("cpu", "bf16") == ("cpu", "bf16")
    assert "auto" not in form("auto")


def test_a_tokenizer_alone_is_no_model(tmp_path: Path) -> None:
    model = ModelOptions(name="qwen2.5-coder-0.5b", cache_dir=tmp_path)
    settings = Settings(model=model, datastore=DatastoreOptions(enabled=False))
    folder = tmp_path / "models" / load_catalogue()[model.name].folder_name
    folder.mkdir(parents=True)
    (folder / "tokenizer.json").write_text("{}")
    assert find_tokenizer(model.name, tmp_path) is not None
    assert workspace_status(settings, tmp_path)["state"] == "no_model"
    (folder / "int8").mkdir()
    (folder / "int8" / "complete.json").write_text(json.dumps({"format": FORMAT_VERSION, "form": "int8"}))
    assert workspace_status(settings, tmp_path)["state"] == "ready"


def test_the_tokenizer_is_the_same_before_and_after_conversion(tmp_path: Path) -> None:
    model, cache = tmp_path / "model", tmp_path / "cache"
    write_hub_folder(model, RandomSource(tiny_config(o_bias=False, mlp_bias=False, qk_norm=False)))
    assert find_tokenizer(str(model), cache) is None
    alone = obtain_tokenizer(str(model), cache, ModelStore(cache))
    assert find_tokenizer(str(model), cache) == alone
    packed = ModelStore(cache).open(str(model), "fp32")
    assert obtain_tokenizer(str(model), cache, ModelStore(cache)) == packed.tokenizer_path
    assert packed.tokenizer_path.read_bytes() == alone.read_bytes()
    assert converted_forms(str(model), cache) == [packed.directory] == converted_forms(str(packed.directory), cache)
    assert list(alone.parent.glob(".tokenizer-*")) == []


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    write_hub_folder(tmp_path / "model", RandomSource(tiny_config(o_bias=False, mlp_bias=False, qk_norm=False)))
    (tmp_path / "file").touch()
    cache = tmp_path / "file" / "cache"
    with pytest.raises(ModelError, match="cannot be written"):
        obtain_tokenizer(str(tmp_path / "model"), cache, ModelStore(cache))
