"""Fetches files from the Hugging Face hub.  Knows nothing about checksums or conversion."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from http.client import HTTPException
from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.request import getproxies, proxy_bypass, urlopen

from rest_lsp.cancellation import CancelToken
from rest_lsp.models.child_download import DownloadFailed, run_download

_DEFAULT_ENDPOINT = "https://huggingface.co"
_CONNECT_SECONDS = 5.0
_TRUE = frozenset({"1", "true", "yes", "on"})
_WANTED = ("config.json", "tokenizer.json", "*.safetensors", "*.safetensors.index.json")
_ONE_FILE = "import sys, huggingface_hub as h; h.hf_hub_download(sys.argv[1], sys.argv[2], local_dir=sys.argv[3])"
_WHOLE_REPOSITORY = (
    "import sys, huggingface_hub as h; h.snapshot_download(sys.argv[1], local_dir=sys.argv[2], "
    f"allow_patterns={list(_WANTED)})"
)
_QUIET = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def is_hub_offline() -> bool:
    """Whether the user has switched the hub off (HF_HUB_OFFLINE)."""
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in _TRUE


def download_file(
    repository: str, file: str, folder: Path, *, on_growth: Callable[[int], None], cancel: CancelToken | None
) -> Path:
    """Fetch one file into `folder`, resuming what an earlier call left.  Raises DownloadFailed, Cancelled."""
    _run([_ONE_FILE, repository, file, str(folder)], folder, on_growth, cancel)
    return folder / file


def download_repository(
    repository: str, folder: Path, *, on_growth: Callable[[int], None], cancel: CancelToken | None
) -> None:
    """Fetch configuration, tokenizer and safetensors files into `folder`.  Raises DownloadFailed, Cancelled."""
    _run([_WHOLE_REPOSITORY, repository, str(folder)], folder, on_growth, cancel)


def known_bytes(repository: str, file: str | None) -> int | None:
    """Size of one file, or of what `download_repository` fetches; None when the hub does not tell."""
    if is_hub_offline():
        return None
    endpoint = os.environ.get("HF_ENDPOINT") or _DEFAULT_ENDPOINT
    url = f"{endpoint}/api/models/{quote(repository)}/tree/main?recursive=true"
    try:
        with urlopen(url, timeout=_CONNECT_SECONDS) as answer:
            entries = json.load(answer)
        sizes = {entry["path"]: int(entry["size"]) for entry in entries if entry["type"] == "file"}
    except (OSError, ValueError, KeyError, TypeError, HTTPException):
        return None
    if file is not None:
        return sizes.get(file)
    return sum(size for path, size in sizes.items() if any(fnmatch(path, pattern) for pattern in _WANTED))


def _run(arguments: list[str], folder: Path, on_growth: Callable[[int], None], cancel: CancelToken | None) -> None:
    if is_hub_offline():
        raise DownloadFailed("the hub is switched off by HF_HUB_OFFLINE")
    endpoint = os.environ.get("HF_ENDPOINT") or _DEFAULT_ENDPOINT
    if not _is_reachable(endpoint):
        raise DownloadFailed(f"{endpoint} cannot be reached")
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", *arguments]
    run_download(command, watched=folder, on_growth=on_growth, environment=_QUIET, cancel=cancel)


def _is_reachable(url: str) -> bool:
    """One connection attempt, to the proxy if there is one: the hub's own retries take half a minute to give up."""
    parts = urlsplit(url)
    proxies = {} if proxy_bypass(parts.hostname or "") else getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if proxy:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=_CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
