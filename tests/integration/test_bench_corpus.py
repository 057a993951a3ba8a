"""The default workspace: pip itself fetches a small distribution from a folder, with no index at all."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest

from rest_lsp.bench.corpus import CorpusError, Distribution, fetch, unpack, verify

PROJECT = {
    "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    "PKG-INFO": "Metadata-Version: 2.1\nName: tinytree\nVersion: 1.0\n",
    "backend.py": """
import pathlib

def prepare_metadata_for_build_wheel(directory, config_settings=None):
    info = pathlib.Path(directory, "tinytree-1.0.dist-info")
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: tinytree\\nVersion: 1.0\\n")
    return info.name

def build_wheel(*arguments, **options):
    raise RuntimeError("a download builds nothing")
""",
    "src/tinytree/leaf.py": "LEAF = 1\n",
}


def archive(files: dict[str, str], folder: str = "tinytree-1.0") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all pip may look at."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    return shelf


def put(shelf: Path, content: bytes) -> Distribution:
    (shelf / "tinytree-1.0.tar.gz").write_bytes(content)
    return Distribution("tinytree", "1.0", hashlib.sha256(content).hexdigest())


def test_it_is_fetched_once_and_then_read_from_the_cache(shelf: Path, tmp_path: Path) -> None:
    tinytree = put(shelf, archive(PROJECT))
    folder = fetch(tinytree, tmp_path / "cache")
    assert (folder / "src/tinytree/leaf.py").read_text(encoding="utf-8") == "LEAF = 1\n"
    (shelf / "tinytree-1.0.tar.gz").unlink()
    assert fetch(tinytree, tmp_path / "cache") == folder


def test_without_network_it_says_so_in_one_sentence_and_leaves_nothing(shelf: Path, tmp_path: Path) -> None:
    assert not list(shelf.iterdir())
    with pytest.raises(CorpusError, match=r"could not download tinytree 1\.0 \(") as caught:
        fetch(Distribution("tinytree", "1.0", "0" * 64), tmp_path / "cache")
    assert "\n" not in caught.value.message
    assert "--workspace" in caught.value.hint
    assert not list((tmp_path / "cache/corpora").iterdir())


def test_an_archive_with_another_hash_is_never_unpacked(shelf: Path, tmp_path: Path) -> None:
    put(shelf, archive(PROJECT))
    with pytest.raises(CorpusError):
        fetch(Distribution("tinytree", "1.0", "0" * 64), tmp_path / "cache")
    assert not list((tmp_path / "cache/corpora").iterdir())


def test_a_hash_is_verified_here_as_well(tmp_path: Path) -> None:
    path = tmp_path / "tinytree-1.0.tar.gz"
    path.write_bytes(b"something else")
    with pytest.raises(CorpusError, match="not the pinned one"):
        verify(path, Distribution("tinytree", "1.0", "0" * 64))
    assert not path.exists()


def test_an_archive_that_leaves_its_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tinytree-1.0.tar.gz"
    path.write_bytes(archive({"escaped.py": ""}, folder="../../outside"))
    with pytest.raises(CorpusError, match="cannot be unpacked"):
        unpack(path, tmp_path / "deep" / "unpacked")
    assert not (tmp_path / "outside").exists()


def test_a_cache_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("", encoding="utf-8")
    with pytest.raises(CorpusError, match="cannot be stored"):
        fetch(Distribution("tinytree", "1.0", "0" * 64), tmp_path / "cache")
