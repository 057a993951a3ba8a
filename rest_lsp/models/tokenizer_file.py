"""The tokenizer of a model without its weights, for whoever indexes text.  Knows nothing about what is indexed."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from rest_lsp.errors import ModelError
from rest_lsp.models.catalogue import load_catalogue
from rest_lsp.models.completed_tokenizer import completed_tokenizer
from rest_lsp.models.packed import TOKENIZER, is_complete
from rest_lsp.models.reference import LocalReference, find_reference
from rest_lsp.models.store import ModelStore, open_source


def find_tokenizer(name_or_path: str, cache_dir: Path) -> Path | None:
    """The tokenizer.json of a model that was converted or read before; None when there is none yet.

    Raises ModelError for an unknown name.
    """
    alone = _folder(name_or_path, cache_dir) / TOKENIZER
    converted = (form / TOKENIZER for form in converted_forms(name_or_path, cache_dir))
    return next(converted, alone if alone.is_file() else None)


def converted_forms(name_or_path: str, cache_dir: Path) -> list[Path]:
    """The packed folders of a model, one per weight form.  Raises ModelError for an unknown name."""
    reference = find_reference(name_or_path, load_catalogue())
    if isinstance(reference, LocalReference) and is_complete(reference.path):
        return [reference.path]
    return [form for form in sorted(_folder(name_or_path, cache_dir).glob("*")) if is_complete(form)]


def obtain_tokenizer(name_or_path: str, cache_dir: Path, store: ModelStore) -> Path:
    """The same; a model that is not here is downloaded, but not converted.  Raises ModelError, Cancelled."""
    found = find_tokenizer(name_or_path, cache_dir)
    if found is not None:
        return found
    source = open_source(store.pull(name_or_path))
    content = completed_tokenizer(source.tokenizer_json(), source.config.vocab_size)
    path = _folder(name_or_path, cache_dir) / TOKENIZER
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _write_whole(path, content)
    except OSError as error:
        raise ModelError(
            f"The cache folder {path.parent} cannot be written ({error.strerror or error}).",
            "Free some space there, or set another folder with model.cache_dir.",
        ) from error


def _folder(name_or_path: str, cache_dir: Path) -> Path:
    return cache_dir / "models" / find_reference(name_or_path, load_catalogue()).folder_name


def _write_whole(path: Path, content: bytes) -> Path:
    """Another process sees the whole file or none."""
    handle, partial = tempfile.mkstemp(prefix=".tokenizer-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
    return path
