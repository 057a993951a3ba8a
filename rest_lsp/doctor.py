"""`rest-lsp doctor`: is everything here that a completion needs, and if not, what is to be done?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Literal

from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.request import CompletionRequest
from rest_lsp.config_sources import Loaded
from rest_lsp.doctor_machine import (
    Check,
    check_cache_folder,
    check_file_watching,
    check_git,
    check_memory,
    check_processor,
    check_python,
    check_shared_process,
    check_suffix_sorting,
    check_torch,
)
from rest_lsp.errors import RestLspError
from rest_lsp.models.packed import PackedModel
from rest_lsp.models.progress import silent
from rest_lsp.models.tokenizer_file import converted_forms, find_tokenizer
from rest_lsp.workspace import model_name, model_store, open_datastore

_PROBE = "def add(first, second):\n    return "


def examine(loaded: Loaded, root: Path | None, *, with_completion: bool = True) -> Iterator[Check]:
    """Every check, one after the other, so that they can be shown as they come.  What a check raises is its finding.

    `with_completion` loads the model to try it, which a process that has it loaded need not do.
    """
    settings = loaded.settings
    checks: dict[str, Callable[[], Check]] = {
        "python": check_python,
        "options": lambda: check_options(loaded),
        "torch": lambda: check_torch(settings),
        "processor": check_processor,
        "memory": check_memory,
        "cache folder": lambda: check_cache_folder(settings),
        "git": check_git,
        "file watching": check_file_watching,
        "shared process": check_shared_process,
        "suffix sorting": check_suffix_sorting,
        "model": lambda: check_model(loaded),
        "index": lambda: check_index(loaded, root),
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


def check_model(loaded: Loaded) -> Check:
    """Reads every weight of every converted form, about a second per gigabyte."""
    settings = loaded.settings
    name = model_name(settings)
    converted = _converted(loaded)
    for folder in converted:
        PackedModel.open(folder).verify()
    if converted:
        forms = ", ".join(folder.name for folder in converted)
        return Check("model", "ok", f"{name} is here, converted ({forms}), and its checksums are right.")
    if (path := model_store(settings).path(name)) is not None:
        return Check("model", "ok", f"{name} is at {path}; the first start converts it, which takes about a minute.")
    status: Literal["fail", "warn"] = "fail" if settings.model.offline else "warn"
    return Check("model", status, f"{name} is not on this machine.", f"rest-lsp models pull {name}")


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


def check_completion(loaded: Loaded, root: Path | None) -> Check:
    """A whole completion, if that needs no download or conversion."""
    if not _converted(loaded):
        return Check(
            "completion", "warn", "Not tried, as there is no converted model.", "rest-lsp complete, or an editor."
        )
    from rest_lsp.assembly_session import open_session

    started = perf_counter()
    session = open_session(loaded.settings, [root] if root else [], silent)
    try:
        ready = perf_counter()
        result = session.service.complete(CompletionRequest(_PROBE, len(_PROBE), language="python"), CancelToken())
    finally:
        session.close()
    if not result.tokens:
        return Check("completion", "fail", "The model wrote nothing for a simple function.", "Fetch the model again.")
    return Check(
        "completion",
        "ok",
        f"Loaded in {ready - started:.1f} s; {result.tokens} tokens in {result.forwards} forward passes, "
        f"{result.prefill_ms + result.decode_ms:.0f} ms: {result.text.strip()[:40]!r}.",
    )


def _converted(loaded: Loaded) -> list[Path]:
    """Folders of the configured model that an engine could open."""
    return converted_forms(model_name(loaded.settings), loaded.settings.model.cache_dir)
