"""What belongs to a workspace: its root, the model that its settings mean, its index.  Imports no torch."""

from __future__ import annotations

import contextlib
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rest_lsp.cancellation import CancelToken
from rest_lsp.config import WORKSPACE_FILE, Settings
from rest_lsp.datastore.datastore import Datastore, IndexRules, tokenizer_fingerprint
from rest_lsp.datastore.libraries import LibraryOptions
from rest_lsp.datastore.shared import SharedStores
from rest_lsp.errors import ConfigError
from rest_lsp.models.progress import Progress, silent
from rest_lsp.models.store import ModelStore
from rest_lsp.models.tokenizer_file import obtain_tokenizer

CPU_MODEL, GPU_MODEL = "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"
_NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


def find_root(start: Path) -> Path:
    """The nearest folder at or above `start` that is a repository or has its own options; else `start` itself."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / ".git").exists() or (folder / WORKSPACE_FILE).is_file():
            return folder
    return start


def require_folder(workspace: Path) -> Path:
    """`workspace`, absolute.  Raises ConfigError when it is no folder."""
    if not workspace.is_dir():
        what = "is a file" if workspace.exists() else "does not exist"
        raise ConfigError(f"The workspace {workspace} {what}.", "Name the folder of a project with --workspace.")
    return workspace.resolve()


def model_name(settings: Settings, *, device: str | None = None) -> str:
    """What `model.name` stands for; `auto` is what was loaded last on such a device (see assembly_model).

    `device` is where the model runs, None when that has not been decided.
    """
    if settings.model.name != "auto":
        return settings.model.name
    device = device or likely_device(settings)
    try:
        kept = _automatic_model_file(settings, device).read_text(encoding="utf-8").strip()
    except OSError:
        kept = ""
    if kept in (CPU_MODEL, GPU_MODEL):
        return kept
    return GPU_MODEL if device in ("cuda", "mps") else CPU_MODEL


def keep_automatic_model(settings: Settings, device: str, name: str) -> None:
    """Remember which model was loaded on this kind of device, for whoever cannot look at it."""
    path = _automatic_model_file(settings, device)
    if model_name(settings, device=device) != name:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name + "\n", encoding="utf-8")


def _automatic_model_file(settings: Settings, device: str) -> Path:
    return settings.model.cache_dir / f"automatic-{device}.txt"


def likely_device(settings: Settings) -> str:
    """What torch will choose, told without importing it, which takes seconds."""
    if settings.device.name != "auto":
        return settings.device.name
    if _NVIDIA_DRIVER.exists() and not _torch_version().endswith("+cpu"):
        return "cuda"
    return "mps" if (platform.system(), platform.machine()) == ("Darwin", "arm64") else "cpu"


def likely_dtype(settings: Settings) -> str:
    """The form of the weights that goes with it; "bf16 or fp16" where only the GPU itself could tell."""
    if settings.device.dtype != "auto":
        return settings.device.dtype
    return {"cpu": "int8", "mps": "fp16"}.get(likely_device(settings), "bf16 or fp16")


def model_store(settings: Settings, progress: Progress = silent, cancel: CancelToken | None = None) -> ModelStore:
    """The models of the configured cache folder."""
    return ModelStore(settings.model.cache_dir, offline=settings.model.offline, progress=progress, cancel=cancel)


def tokenizer_path(settings: Settings, progress: Progress = silent, cancel: CancelToken | None = None) -> Path:
    """The tokenizer of the configured model, which is downloaded when it is not here.  Raises ModelError, Cancelled."""
    store = model_store(settings, progress, cancel)
    return obtain_tokenizer(model_name(settings), settings.model.cache_dir, store)


def open_datastore(settings: Settings, root: Path, tokenizer: Path, *, libraries_at_once: bool = False) -> Datastore:
    """The index of a workspace as it was left; whoever opens it closes it.  Raises DatastoreError, ModelError.

    With `libraries_at_once` a refresh ends when they are indexed, too.
    """
    rules = IndexRules(max_file_bytes=settings.datastore.max_file_bytes, exclude=settings.datastore.exclude)
    options = settings.datastore
    python = str(options.python) if options.python else None
    return Datastore.open(
        root,
        directory=settings.datastores_dir,
        tokenizer_path=tokenizer,
        rules=rules,
        stores=options.stores,
        libraries=LibraryOptions(options.packages, options.standard_library, python, libraries_at_once),
    )


def shared_stores(settings: Settings, tokenizer: Path) -> SharedStores:
    """The shared stores for one tokenizer.  Raises DatastoreError when it cannot be read."""
    return SharedStores(settings.datastores_dir, tokenizer_fingerprint(tokenizer))


def _torch_version() -> str:
    try:
        return version("torch")
    except PackageNotFoundError:
        return "+cpu"
