"""`rest-lsp doctor`: is everything here that a completion needs, and if not, what is to be done?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from rest_lsp.config_sources import Loaded
from rest_lsp.datastore.datastore import tokenizer_fingerprint
from rest_lsp.datastore.integrity import damaged_files
from rest_lsp.doctor_gpu import check_gpu
from rest_lsp.doctor_machine import (
    Check,
    check_cache_folder,
    check_file_watching,
    check_git,
    check_processor,
    check_python,
    check_shared_process,
    check_suffix_sorting,
    check_torch,
)
from rest_lsp.doctor_model import check_completion, check_kernel, check_memory, check_model
from rest_lsp.errors import RestLspError
from rest_lsp.models.tokenizer_file import find_tokenizer
from rest_lsp.workspace import model_name, open_datastore


def examine(loaded: Loaded, root: Path | None, *, with_completion: bool = True) -> Iterator[Check]:
    """Every check, one after the other, so that they can be shown as they come.  What a check raises is its finding.

    `with_completion` loads the model to try it, which a process that has it loaded need not do.
    """
    settings = loaded.settings
    checks: dict[str, Callable[[], Check]] = {
        "python": check_python,
        "options": lambda: check_options(loaded),
        "torch": lambda: check_torch(settings),
        "gpu": check_gpu,
        "processor": check_processor,
        "kernel": lambda: check_kernel(settings),
        "memory": lambda: check_memory(settings),
        "cache folder": lambda: check_cache_folder(settings),
        "git": check_git,
        "file watching": check_file_watching,
        "shared process": check_shared_process,
        "suffix sorting": check_suffix_sorting,
        "model": lambda: check_model(loaded),
        "index": lambda: check_index(loaded, root),
        "store": lambda: check_store(loaded, root),
    }
    if with_completion:
        checks["completion"] = lambda: check_completion(loaded, root)
    for name, check in checks.items():
        try:
            yield check()
        except RestLspError as error:
            yield Check(name, "fail", error.message, error.hint)
        except Exception as error:  # noqa: BLE001 - the other checks still tell something
            fix = "Run again with REST_LSP_DEBUG=1, and report it if it makes no sense."
            yield Check(name, "fail", f"{type(error).__name__}: {error}", fix)


def check_options(loaded: Loaded) -> Check:
    if not loaded.problems:
        return Check("options", "ok", "All settings can be used.")
    return Check("options", "warn", " ".join(loaded.problems), "Correct or remove them; until then they are ignored.")


def check_index(loaded: Loaded, root: Path | None) -> Check:
    settings = loaded.settings
    if root is None:
        return Check("index", "ok", "No folder is open, so there is nothing to index.")
    if not settings.datastore.enabled:
        return Check("index", "ok", "datastore.enabled is false.")
    tokenizer = find_tokenizer(model_name(settings), settings.model.cache_dir)
    if tokenizer is None:
        return Check("index", "warn", "There can be no index before there is a model.", "rest-lsp models pull")
    datastore = open_datastore(settings, root, tokenizer)
    status = datastore.status()
    datastore.close()
    if not status.files:
        return Check("index", "warn", f"{root} has no index yet.", f"rest-lsp index --workspace {root}")
    return Check("index", "ok", f"{status.files:,} files, {status.tokens:,} tokens of {root} in {status.path}.")


def check_store(loaded: Loaded, root: Path | None) -> Check:
    """Reads every byte of the index and of the stores that belong to it, 3 ms for 10 MB."""
    settings = loaded.settings
    tokenizer = find_tokenizer(model_name(settings), settings.model.cache_dir)
    if root is None or tokenizer is None or not settings.datastore.enabled:
        return Check("store", "ok", "There is no index to look at.")
    with closing(open_datastore(settings, root, tokenizer)) as datastore:
        status, stores = datastore.status(), [tier.segment for tier in datastore.tiers]
        damaged = damaged_files(Path(status.path), tokenizer_fingerprint(tokenizer), stores)
    if damaged:
        found = "; ".join(f"{damage.name}: {damage.reason}" for damage in damaged)
        fix = f"rest-lsp index --workspace {root} sets what is damaged aside and indexes it again."
        return Check("store", "fail", f"Damaged in {status.path}: {found}.", fix)
    if status.notices:
        return Check("store", "warn", " ".join(status.notices), "Correct datastore.stores, or make the store again.")
    n_files = status.segments + len(stores)
    if not n_files:
        return Check("store", "ok", "There is no index to look at.")
    return Check("store", "ok", f"The checksums of all {n_files} files in {status.path} are right.")
