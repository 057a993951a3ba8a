"""A model in the layout that the engine reads: one folder, weights memory-mapped.  Knows nothing about its origin.

The folder holds config.json, tokenizer.json, weights.safetensors, and complete.json, which is written last and holds
the checksums of the others.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from rest_lsp.errors import ModelError
from rest_lsp.models.decoder_config import DecoderConfig, RopeScaling

__all__ = ["DecoderConfig", "PackedModel", "RopeScaling", "TensorData", "WeightForm"]

WeightForm = Literal["int8", "bf16", "fp32"]
DTypeName = Literal["fp32", "bf16", "int8"]

FORMAT_VERSION = 1
CONFIG, TOKENIZER, WEIGHTS, COMPLETE = "config.json", "tokenizer.json", "weights.safetensors", "complete.json"
SAFETENSORS_NAMES: dict[DTypeName, str] = {"fp32": "F32", "bf16": "BF16", "int8": "I8"}
STORAGE: dict[DTypeName, type[np.generic]] = {"fp32": np.float32, "bf16": np.uint16, "int8": np.int8}


@dataclass(frozen=True, slots=True)
class TensorData:
    """A view of the mapped file.  numpy has no bfloat16, so there `array` holds its bits as uint16 and `dtype` says so.

    The mapping is copy-on-write: writing to `array` is possible and never reaches the file.
    """

    array: npt.NDArray[Any]
    dtype: DTypeName


@dataclass(frozen=True)
class PackedModel:
    """An opened packed folder; tensors are read when touched.  Names and shapes: see `layout.packed_tensors`."""

    directory: Path
    name: str
    config: DecoderConfig
    form: WeightForm
    tensors: Mapping[str, TensorData]
    mapping: mmap.mmap = field(repr=False)

    @property
    def tokenizer_path(self) -> Path:
        return self.directory / TOKENIZER

    @classmethod
    def open(cls, directory: Path) -> PackedModel:
        """Map the weights after checking sizes, header, config and tokenizer.  Raises ModelError when any is amiss."""
        try:
            complete = json.loads((directory / COMPLETE).read_bytes())
            _check_small_files(directory, complete)
            config = DecoderConfig.from_json((directory / CONFIG).read_text(encoding="utf-8"))
            mapped = _map_tensors(directory / WEIGHTS, complete)
            if complete["form"] not in get_args(WeightForm):
                raise ValueError(f"unknown weight form {complete['form']!r}")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"The converted model in {directory} is damaged ({error}).",
                f"Delete {directory} and start again; the model is then converted anew.",
            ) from error
        name = str(complete.get("name", directory.name))
        return cls(
            directory=directory,
            name=name,
            config=config,
            form=complete["form"],
            tensors=mapped.tensors,
            mapping=mapped.mapping,
        )

    def forget_pages(self) -> None:
        """Give the memory of weights that were read back to the system; they are read again when touched."""
        if sys.platform != "win32":
            self.mapping.madvise(mmap.MADV_DONTNEED)

    def verify(self) -> None:
        """Read all weights and compare their checksum (seconds).  Raises ModelError when it differs."""
        complete = json.loads((self.directory / COMPLETE).read_bytes())
        if file_sha256(self.directory / WEIGHTS) != complete["sha256"][WEIGHTS]:
            raise ModelError(
                f"The weights in {self.directory} have changed since they were written.",
                f"Delete {self.directory} and start again; the model is then converted anew.",
            )


def is_complete(directory: Path) -> bool:
    """Whether a conversion into `directory` was finished, by this format and into a form that it still has."""
    try:
        complete = json.loads((directory / COMPLETE).read_bytes())
        return complete["format"] == FORMAT_VERSION and complete["form"] in get_args(WeightForm)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a whole file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def header_of(weights: Path) -> bytes:
    """The JSON header of a safetensors file.  Raises ValueError when the file is too short to hold it."""
    with weights.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(min(length, 1 << 27))
    if len(header) != length or length == 0:
        raise ValueError(f"{weights.name} has no complete header")
    return header


def _check_small_files(directory: Path, complete: dict[str, Any]) -> None:
    if complete["format"] != FORMAT_VERSION:
        raise ValueError(f"format {complete['format']} instead of {FORMAT_VERSION}")
    for name in (CONFIG, TOKENIZER):
        if file_sha256(directory / name) != complete["sha256"][name]:
            raise ValueError(f"{name} has changed")


class _Mapped(NamedTuple):
    mapping: mmap.mmap
    tensors: dict[str, TensorData]


def _map_tensors(weights: Path, complete: dict[str, Any]) -> _Mapped:
    if weights.stat().st_size != complete["weights_bytes"]:
        raise ValueError(f"{WEIGHTS} has {weights.stat().st_size} bytes instead of {complete['weights_bytes']}")
    header = header_of(weights)
    if hashlib.sha256(header).hexdigest() != complete["sha256"]["header"]:
        raise ValueError(f"the header of {WEIGHTS} has changed")
    with weights.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    dtypes: dict[str, DTypeName] = {stored: dtype for dtype, stored in SAFETENSORS_NAMES.items()}
    tensors: dict[str, TensorData] = {}
    for name, entry in json.loads(header).items():
        dtype = dtypes[entry["dtype"]]
        count = int(np.prod(entry["shape"], dtype=np.int64))
        start = 8 + len(header) + entry["data_offsets"][0]
        flat: npt.NDArray[Any] = np.frombuffer(mapped, dtype=STORAGE[dtype], count=count, offset=start)
        tensors[name] = TensorData(flat.reshape(entry["shape"]), dtype)
    return _Mapped(mapped, tensors)
