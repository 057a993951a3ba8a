"""Checks of the machine: Python, torch, processor, memory, folders, git, file watching.  Knows nothing about models."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Literal, NamedTuple

from rest_lsp.config import Settings
from rest_lsp.daemon.address import RUNTIME_VARIABLE, NoDaemon, runtime_address
from rest_lsp.daemon.joining import ask

Status = Literal["ok", "warn", "fail"]

_NEEDED_DISK_BYTES = 1_500_000_000
_FEW_WATCHES = 32_768
_INT8_FLAGS = ("avx2", "fma", "avx512bw", "avx512_vnni", "avx_vnni", "asimd", "asimddp")
_CPUINFO = Path("/proc/cpuinfo")
_WATCHES = Path("/proc/sys/fs/inotify/max_user_watches")


class Check(NamedTuple):
    """One finding.  `fix` says what to do, and is empty when there is nothing to do."""

    name: str
    status: Status
    reason: str
    fix: str = ""


def check_python() -> Check:
    return Check("python", "ok", f"Python {sys.version.split()[0]} at {sys.executable}.")


def check_torch(settings: Settings) -> Check:
    """Imports torch; says where a model would run and why."""
    try:
        from rest_lsp.engine.choice import choose_device, choose_dtype, choose_threads
    except (ImportError, OSError) as error:
        return Check("torch", "fail", f"torch cannot be imported: {error}.", "Install it: pip install torch.")
    device = choose_device(settings.device.name)
    dtype = choose_dtype(settings.device.dtype, device.value)
    threads = choose_threads(settings.device.threads)
    return Check(
        "torch",
        "ok",
        f"torch {version('torch')}; device {device.value} ({device.reason}); dtype {dtype.value} ({dtype.reason}); "
        f"{threads.value} threads ({threads.reason}).",
    )


def check_processor() -> Check:
    """Tests the int8 kernel against exact arithmetic instead of trusting a list of processors."""
    from rest_lsp.engine.kernels.check import product_is_exact, thread_pool

    fast = [flag for flag in _INT8_FLAGS if flag in _processor_flags()]
    speed = f"vector instructions: {', '.join(fast)}" if fast else "no wide vector instructions were found"
    if thread_pool() == "workqueue":
        return Check(
            "processor",
            "warn",
            f"{speed}; no OpenMP library was found, and without it each forward pass takes some 10 ms longer.",
            "Install it: libgomp1 on Debian and Ubuntu, libgomp on Fedora, libomp on macOS.",
        )
    if product_is_exact(n_in=896):
        return Check("processor", "ok", f"{speed}; the int8 kernel agrees with exact arithmetic.")
    return Check(
        "processor",
        "fail",
        f"{speed}; the int8 kernel does not add exactly on this processor.",
        "Set device.dtype to bf16, and report this processor with the output of rest-lsp doctor.",
    )


def check_cache_folder(settings: Settings) -> Check:
    folder = settings.model.cache_dir
    fix = "Set model.cache_dir (REST_LSP_MODEL_CACHE_DIR) to a folder of yours with some room."
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"x")
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Check("cache folder", "fail", f"{folder} cannot be written: {error.strerror}.", fix)
    text = f"{folder} can be written, {free / 1e9:.1f} GB are free"
    if free < _NEEDED_DISK_BYTES:
        return Check("cache folder", "warn", f"{text}; a model takes {_NEEDED_DISK_BYTES / 1e9:.1f} GB.", fix)
    return Check("cache folder", "ok", f"{text}.")


def check_git() -> Check:
    try:
        answer = subprocess.run(["git", "--version"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return Check(
            "git",
            "warn",
            f"git cannot be run ({error}); ignore rules of repositories are then not known exactly.",
            "Install git.",
        )
    return Check("git", "ok", f"{answer.stdout.strip()}.")


def check_file_watching() -> Check:
    """Every folder of a workspace takes one of the user's inotify watches."""
    try:
        limit = int(_WATCHES.read_text())
    except (OSError, ValueError):
        return Check("file watching", "ok", "This system sets no limit that can be read.")
    if limit < _FEW_WATCHES:
        return Check(
            "file watching",
            "warn",
            f"Only {limit:,} folders can be watched; large workspaces are then compared every few seconds instead.",
            "sudo sysctl fs.inotify.max_user_watches=524288",
        )
    return Check("file watching", "ok", f"{limit:,} folders can be watched.")


def check_shared_process() -> Check:
    """Whether all editor windows can share one process, and whether one runs."""
    try:
        address = runtime_address()
        report = ask(address, "status")
    except NoDaemon as error:
        fix = f"See {RUNTIME_VARIABLE} in the README; until then each window has a process of its own."
        return Check("shared process", "warn", str(error), fix)
    if report is None:
        return Check("shared process", "ok", f"{address.place} is free; the first editor starts the process.")
    served = f"{len(report.clients)} windows and ports"
    text = f"Process {report.pid}, version {report.version}, serves {served} at {address.place}."
    return Check("shared process", "ok", text)


def check_suffix_sorting() -> Check:
    fix = "Reinstall it: pip install --force-reinstall --no-deps pydivsufsort."
    try:
        import numpy as np
        from pydivsufsort import divsufsort

        answer = divsufsort(np.array([2, 1, 14, 1, 14, 1], dtype=np.uint16)).tolist()
    except (ImportError, OSError, ValueError, TypeError) as error:
        return Check("suffix sorting", "warn", f"pydivsufsort does not work ({error}); indexing is slow.", fix)
    if answer != [5, 3, 1, 0, 4, 2]:
        return Check("suffix sorting", "warn", f"pydivsufsort gives wrong results ({answer}); indexing is slow.", fix)
    return Check("suffix sorting", "ok", "pydivsufsort sorts a known sequence rightly.")


def _processor_flags() -> set[str]:
    try:
        lines = _CPUINFO.read_text().splitlines()
    except OSError:
        return set()
    return {flag for line in lines if line.lower().startswith(("flags", "features")) for flag in line.split()}
