"""How kernels are compiled: by numba, at first use, kept on disk for later starts.

What is kept goes with the sources of all kernels together: numba asks only whether the file of a kernel has changed,
and not those of the kernels and constants that were compiled into it.

Fast mathematics stays off unless a kernel asks for it by name: bit-exact verification needs every element's operations
in one fixed order, whatever the vector width and whatever other rows are in the pass.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from rest_lsp.config import user_cache_dir
from rest_lsp.waiting import wait_politely

WITH_KERNELS = ("datastore", "drafting", "engine")
"""Packages that kernels are in."""

KEPT_DAYS = 30

_KERNEL = b"from rest_lsp.compiling import"
_IMPORTS = re.compile(rb"^from (rest_lsp[\w.]*) import (\([^)]*\)|.*)", re.MULTILINE)
_NAMES = re.compile(rb"\w+")

_config: Any = numba.config

# The library that runs parallel loops reads this when it is loaded, at the first of them, wherever that is called from.
wait_politely()


def sources_digest(package: Path) -> str:
    """Of all files with kernels, of those that they take names from, and of this one."""
    root = package.parent
    texts = {file: file.read_bytes() for name in WITH_KERNELS for file in (package / name).rglob("*.py")}
    chosen = {file for file, text in texts.items() if _KERNEL in text}
    for file in list(chosen):
        for module, names in _IMPORTS.findall(texts[file]):
            place = root.joinpath(*module.decode().split("."))
            chosen |= {place.with_suffix(".py"), *(place / f"{name.decode()}.py" for name in _NAMES.findall(names))}
    digest = hashlib.sha256((package / "compiling.py").read_bytes())
    for file in sorted(chosen & texts.keys()):
        digest.update(file.relative_to(package).as_posix().encode() + b"\0" + texts[file])
    return digest.hexdigest()[:16]


def use_own_cache(root: Path, package: Path) -> Path:
    """Have numba keep what it compiles in a folder of `root` for the sources as they are; forget long unused ones."""
    folder = root / sources_digest(package)
    try:
        if not folder.exists():
            folder.mkdir(parents=True)
            _remove_unused(root)
        os.utime(folder)
    except OSError:
        # A folder that cannot be written is no harm: numba compiles anew at each start.
        pass
    _config.CACHE_DIR = str(folder)
    return folder


def _remove_unused(root: Path) -> None:
    for other in root.iterdir():
        if other.stat().st_mtime < time.time() - 86_400 * KEPT_DAYS:
            shutil.rmtree(other, ignore_errors=True)


def _cache_of(package: Path) -> Path:
    """Beside the package's own compiled files; in the user's cache folder where somebody else installed it."""
    return package / "__pycache__" / "kernels" if os.access(package, os.W_OK) else user_cache_dir() / "kernels"


if "NUMBA_CACHE_DIR" not in os.environ:
    use_own_cache(_cache_of(Path(__file__).parent), Path(__file__).parent)

Function = TypeVar("Function", bound=Callable[..., object])
Number = TypeVar("Number", np.uint8, np.int32, np.uint32)

_njit: Any = numba.njit
"""Its own types turn functions into dispatchers, which cannot be told from functions in use."""

REORDERED = frozenset({"reassoc", "nsz", "nnan", "contract"})
"""For sums along one row, so that they use vector registers.  A kernel compiled with it adds in an order that depends
only on the length, since all callers run the same machine code."""


def kernel(function: Function) -> Function:
    """Compile without Python objects; holds no lock while it runs."""
    return _compiled(function, nogil=True)


def reordering_kernel(function: Function) -> Function:
    """Like `kernel`, with sums in the order that suits the registers."""
    return _compiled(function, nogil=True, fastmath=set(REORDERED))


def parallel_kernel(function: Function) -> Function:
    """Like `kernel`; loops over `prange` are divided between threads."""
    return _compiled(function, nogil=True, parallel=True)


def _compiled(function: Function, **options: object) -> Function:
    try:
        return _njit(function, cache=True, error_model="numpy", **options)  # type: ignore[no-any-return]
    except RuntimeError:
        # Neither the package's folder nor the user's cache can be written: compiled anew at each start.
        return _njit(function, error_model="numpy", **options)  # type: ignore[no-any-return]


_numba: Any = numba
_carray, _intrinsic = _numba.carray, _numba.extending.intrinsic


@_intrinsic  # type: ignore[untyped-decorator]
def _pointer(_: Any, address: Any) -> Any:
    """The memory at an address."""

    def convert(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.voidptr(address), convert


@kernel
def array_at(address: int, length: int, kind: type[Number]) -> npt.NDArray[Number]:
    """For kernels alone: the array at an address, in a row and aligned, which somebody else keeps alive."""
    return _carray(_pointer(address), (length,), kind)  # type: ignore[no-any-return]
