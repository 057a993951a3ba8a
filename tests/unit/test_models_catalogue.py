"""The catalogue is sound, and a `model` setting is understood or answered with the nearest name."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from rest_lsp.errors import ModelError
from rest_lsp.models.catalogue import CatalogueEntry, load_catalogue
from rest_lsp.models.reference import HubReference, LocalReference, find_reference, gguf_file_in

CATALOGUE = load_catalogue()


def test_entries_are_pinned_and_complete() -> None:
    assert list(CATALOGUE) == ["qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"]
    for entry in CATALOGUE.values():
        assert re.fullmatch(r"[0-9a-f]{64}", entry.sha256)
        assert entry.bytes > 10**8
        assert entry.file.endswith(".gguf")
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", entry.hub_repo)
        assert len(set(entry.wheels)) == len(entry.wheels) > 0
        assert all(re.fullmatch(r"[a-z0-9-]+==[\d.]+", wheel) for wheel in entry.wheels)
        assert entry.description
        assert entry.licence == "Apache-2.0"


def test_a_catalogue_name_is_the_entry() -> None:
    reference = find_reference("qwen2.5-coder-0.5b", CATALOGUE)
    assert isinstance(reference, CatalogueEntry)
    assert reference.folder_name == "qwen2.5-coder-0.5b-1d9614638d18"


@pytest.mark.parametrize("name", ["qwen2.5-coder-05b", "qwen-coder-0.5b", "Qwen2.5-Coder-0.5B"])
def test_a_mistyped_name_is_answered_with_the_nearest(name: str) -> None:
    with pytest.raises(ModelError, match=re.escape(repr(name))) as caught:
        find_reference(name, CATALOGUE)
    assert "Did you mean 'qwen2.5-coder-0.5b'?" in caught.value.hint


def test_a_name_like_none_is_answered_with_all() -> None:
    with pytest.raises(ModelError) as caught:
        find_reference("zzz", CATALOGUE)
    assert "Did you mean" not in caught.value.hint
    assert "qwen2.5-coder-1.5b" in caught.value.hint


@pytest.mark.parametrize("path", ["/nowhere/model.gguf", "./nowhere", "~/nowhere-at-all/m.gguf"])
def test_a_path_that_does_not_exist_is_named(path: str) -> None:
    with pytest.raises(ModelError, match="no model file or folder"):
        find_reference(path, CATALOGUE)


def test_hub_ids_with_and_without_a_file() -> None:
    assert find_reference("org/Some-Model_1", CATALOGUE) == HubReference("org/Some-Model_1", None)
    assert find_reference("org/m/q8/m-q8.gguf", CATALOGUE) == HubReference("org/m", "q8/m-q8.gguf")


def test_a_hub_id_cannot_leave_its_folder() -> None:
    with pytest.raises(ModelError, match="no model"):
        find_reference("org/m/../../m.gguf", CATALOGUE)


def test_a_local_model_that_changes_gets_another_folder(tmp_path: Path) -> None:
    file = tmp_path / "my model.gguf"
    file.write_bytes(b"one")
    os.utime(file, (1, 1))
    reference = find_reference(str(file), CATALOGUE)
    assert isinstance(reference, LocalReference)
    first = reference.folder_name
    assert re.fullmatch(r"my-model-[0-9a-f]{12}", first)
    assert reference.folder_name == first
    file.write_bytes(b"two")
    os.utime(file, (2, 2))
    assert reference.folder_name != first


def test_the_only_gguf_file_of_a_folder_is_the_model(tmp_path: Path) -> None:
    assert gguf_file_in(tmp_path) is None
    (tmp_path / "a.gguf").touch()
    assert gguf_file_in(tmp_path) == tmp_path / "a.gguf"
    (tmp_path / "b.gguf").touch()
    with pytest.raises(ModelError, match=r"several GGUF files \(a\.gguf, b\.gguf\)"):
        gguf_file_in(tmp_path)
    (tmp_path / "model.safetensors").touch()
    assert gguf_file_in(tmp_path) is None
