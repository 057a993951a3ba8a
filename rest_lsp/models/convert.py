"""Writes a packed folder from a source, tensor by tensor, all or nothing.  Knows nothing about downloads."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from rest_lsp.cancellation import CancelToken
from rest_lsp.errors import ModelError
from rest_lsp.models.completed_tokenizer import completed_tokenizer
from rest_lsp.models.disk import require_space
from rest_lsp.models.layout import PackedTensor, packed_tensors
from rest_lsp.models.packed import (
    COMPLETE,
    CONFIG,
    FORMAT_VERSION,
    SAFETENSORS_NAMES,
    STORAGE,
    TOKENIZER,
    WEIGHTS,
    DTypeName,
    WeightForm,
    file_sha256,
)
from rest_lsp.models.progress import Progress, ProgressEvent, silent
from rest_lsp.models.quantise import quantise_rows, to_bfloat16
from rest_lsp.models.source import WeightSource

_BLOCK_ELEMENTS = 4_000_000  # 16 MB of float32: large enough for numpy, small enough for any laptop.


def convert(
    source: WeightSource,
    directory: Path,
    *,
    form: WeightForm,
    name: str,
    progress: Progress = silent,
    cancel: CancelToken | None = None,
) -> None:
    """Write `directory`, which is complete or absent afterwards, whatever happens.  The caller holds the folder's lock.

    Raises ModelError when the source lacks a tensor, has one of another shape, or the disk is too small; Cancelled.
    """
    tensors = packed_tensors(source.config, form)
    _check_shapes(source, tensors)
    placed = _place(tensors)
    parent = directory.parent
    parent.mkdir(parents=True, exist_ok=True)
    for leftover in parent.glob(f".{form}-*.partial"):
        shutil.rmtree(leftover, ignore_errors=True)
    require_space(parent, sum(entry.size for entry in placed.values()), f"the converted model ({form})")
    partial = parent / f".{form}-{os.getpid()}.partial"
    partial.mkdir()
    try:
        (partial / TOKENIZER).write_bytes(completed_tokenizer(source.tokenizer_json(), source.config.vocab_size))
        (partial / CONFIG).write_text(source.config.to_json() + "\n", encoding="utf-8")
        header = _write_weights(partial / WEIGHTS, source, tensors, placed, _Watch(progress, cancel))
        _write_complete(partial, name, form, header)
        if directory.exists():
            shutil.rmtree(directory)
        partial.rename(directory)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a stored tensor goes: byte offset from the end of the header."""

    dtype: DTypeName
    shape: tuple[int, ...]
    start: int

    @property
    def size(self) -> int:
        return math.prod(self.shape) * np.dtype(STORAGE[self.dtype]).itemsize


@dataclass(frozen=True, slots=True)
class _Watch:
    progress: Progress
    cancel: CancelToken | None

    def report(self, done: int, total: int) -> None:
        if self.cancel is not None:
            self.cancel.raise_if_cancelled()
        self.progress(ProgressEvent("convert", done, total, "bytes"))


def _check_shapes(source: WeightSource, tensors: Sequence[PackedTensor]) -> None:
    for part in (part for tensor in tensors for part in tensor.parts):
        shape = source.shape(part.name)
        if shape != part.shape:
            found = "is missing" if shape is None else f"has the shape {shape} instead of {part.shape}"
            raise ModelError(
                f"The model does not fit its configuration: the tensor {part.name} {found}.",
                "Download it again, or choose another model.",
            )


def _place(tensors: Sequence[PackedTensor]) -> dict[str, _Place]:
    """Wide elements first, so that every tensor starts at a multiple of its element size without padding."""
    wanted: list[tuple[str, DTypeName, tuple[int, ...]]] = []
    for tensor in tensors:
        wanted.append((tensor.name, tensor.dtype, tensor.shape))
        if tensor.steps:
            wanted.append((f"{tensor.name}.scale", "fp32", tensor.shape[:1]))
    wanted.sort(key=lambda entry: -np.dtype(STORAGE[entry[1]]).itemsize)
    placed: dict[str, _Place] = {}
    end = 0
    for name, dtype, shape in wanted:
        placed[name] = _Place(dtype, shape, end)
        end += placed[name].size
    return placed


def _header(placed: dict[str, _Place]) -> bytes:
    entries = {
        name: {
            "dtype": SAFETENSORS_NAMES[place.dtype],
            "shape": place.shape,
            "data_offsets": [place.start, place.start + place.size],
        }
        for name, place in placed.items()
    }
    text = json.dumps(entries).encode()
    return text + b" " * (-(len(text) + 8) % 64)


def _write_weights(
    path: Path, source: WeightSource, tensors: Sequence[PackedTensor], placed: dict[str, _Place], watch: _Watch
) -> bytes:
    header = _header(placed)
    data_start = 8 + len(header)
    total = sum(place.size for place in placed.values())
    done = 0
    watch.report(done, total)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(data_start + total)
        for tensor in tensors:
            row = 0
            for part in tensor.parts:
                max_rows = max(1, _BLOCK_ELEMENTS // max(1, math.prod(part.shape[1:])))
                for block in source.blocks(part.name, max_rows):
                    for name, stored in _stored(tensor, block):
                        done += _write_rows(file, data_start, placed[name], row, stored)
                    row += len(block)
                    watch.report(done, total)
        file.flush()
        os.fsync(file.fileno())
    return header


def _stored(tensor: PackedTensor, block: npt.NDArray[np.float32]) -> list[tuple[str, npt.NDArray[Any]]]:
    if tensor.steps:
        rows = quantise_rows(block, tensor.steps)
        return [(tensor.name, rows.integers), (f"{tensor.name}.scale", rows.scales)]
    return [(tensor.name, to_bfloat16(block) if tensor.dtype == "bf16" else block)]


def _write_rows(file: BinaryIO, data_start: int, place: _Place, row: int, rows: npt.NDArray[Any]) -> int:
    row_bytes = place.size // place.shape[0]
    file.seek(data_start + place.start + row * row_bytes)
    return file.write(np.ascontiguousarray(rows).data.cast("B"))


def _write_complete(partial: Path, name: str, form: WeightForm, header: bytes) -> None:
    checksums = {name: file_sha256(partial / name) for name in (CONFIG, TOKENIZER, WEIGHTS)}
    complete = {
        "format": FORMAT_VERSION,
        "name": name,
        "form": form,
        "weights_bytes": (partial / WEIGHTS).stat().st_size,
        "sha256": {**checksums, "header": hashlib.sha256(header).hexdigest()},
    }
    with (partial / COMPLETE).open("w", encoding="utf-8") as file:
        json.dump(complete, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
