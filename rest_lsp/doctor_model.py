"""Checks of the model: is it here and whole, is there room for it, how fast is a pass, and does it complete?"""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Literal

from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.trial import judge, try_out
from rest_lsp.config import Settings
from rest_lsp.config_sources import Loaded
from rest_lsp.daemon.address import NoDaemon, runtime_address
from rest_lsp.daemon.joining import ask
from rest_lsp.doctor_machine import Check
from rest_lsp.memory import available_memory, resident_memory
from rest_lsp.models.packed import WEIGHTS, PackedModel
from rest_lsp.models.progress import silent
from rest_lsp.models.tokenizer_file import converted_forms
from rest_lsp.workspace import model_name, model_store

if TYPE_CHECKING:
    from rest_lsp.drafting.cost_model import StepCost

_SMALLEST_BYTES = 1_600_000_000
"""What the smallest model of the catalogue takes, for models of which nothing is known yet."""

_SLOW_PASS_MS = 250.0
"""From here on a line of ten tokens takes longer than anybody waits."""

_SHOWN_SIZES = (1, 4, 16)
_CONTEXT = 640


def check_model(loaded: Loaded) -> Check:
    """Reads every weight of every converted form, about a second per gigabyte."""
    settings = loaded.settings
    name = model_name(settings)
    converted = _converted(settings)
    for folder in converted:
        PackedModel.open(folder).verify()
    if converted:
        forms = ", ".join(folder.name for folder in converted)
        return Check("model", "ok", f"{name} is here, converted ({forms}), and its checksums are right.")
    if (path := model_store(settings).path(name)) is not None:
        return Check("model", "ok", f"{name} is at {path}; the first start converts it, which takes about a minute.")
    status: Literal["fail", "warn"] = "fail" if settings.model.offline else "warn"
    return Check("model", status, f"{name} is not on this machine.", f"rest-lsp models pull {name}")


def check_memory(settings: Settings) -> Check:
    """Whether the model fits where it would run; what a process that has it loaded holds counts as free."""
    from rest_lsp.engine.choice import choose_device, choose_dtype, free_gpu_bytes
    from rest_lsp.engine.gpu import reserved_gpu_bytes

    device = choose_device(settings.device.name).value
    name, needed = (
        model_name(settings),
        needed_bytes(settings, device, choose_dtype(settings.device.dtype, device).value),
    )
    free = free_gpu_bytes() if device == "cuda" else available_memory()
    held = reserved_gpu_bytes() if device == "cuda" else _held_bytes()
    if free is None:
        return Check("memory", "ok", "The free memory cannot be read on this system.")
    where = "GPU memory" if device == "cuda" else "memory"
    text = f"{free / 1e9:.1f} GB of {where} are free, {name} takes {needed / 1e9:.1f} GB"
    if free >= needed:
        return Check("memory", "ok", f"{text}.")
    if free + held >= needed:
        return Check("memory", "ok", f"{text}, and {held / 1e9:.1f} GB are held by a process that serves editors.")
    return Check("memory", "warn", f"{text}.", "Choose a smaller model, or close what else uses memory.")


def needed_bytes(settings: Settings, device: str, dtype: str) -> int:
    """Weights, caches and libraries of the configured model."""
    from rest_lsp.assembly_model import BESIDE_WEIGHTS, bytes_when_loaded
    from rest_lsp.engine.choice import choose_form
    from rest_lsp.models.catalogue import load_catalogue

    form = choose_form(dtype)
    for folder in _converted(settings):
        packed = PackedModel.open(folder)
        if packed.form == form:
            return (folder / WEIGHTS).stat().st_size + BESIDE_WEIGHTS
    known = load_catalogue().get(model_name(settings))
    return bytes_when_loaded(known.bytes, device) if known is not None else _SMALLEST_BYTES


def check_kernel(settings: Settings) -> Check:
    """Which code does the forward passes, and how long they were measured to take here."""
    from rest_lsp.assembly_costs import kept_cost
    from rest_lsp.engine.choice import choose_device, choose_dtype

    device = choose_device(settings.device.name).value
    dtype = choose_dtype(settings.device.dtype, device).value
    code, cost = _code_of(device, dtype), kept_cost(settings, model_name(settings), device, dtype)
    if cost is None:
        return Check("kernel", "ok", f"{code}; the first start measures how long a pass takes.")
    text = f"{code}; measured here: {_in_words(cost)}"
    if cost.ms(1, _CONTEXT) > _SLOW_PASS_MS:
        fix = f"Choose a smaller model; if the machine was busy then, delete {settings.model.cache_dir / 'costs'}."
        return Check("kernel", "warn", f"{text}. Suggestions come late.", fix)
    return Check("kernel", "ok", f"{text}.")


def check_completion(loaded: Loaded, root: Path | None) -> Check:
    """A whole completion, drafted and plain, if that needs no download or conversion."""
    if not _converted(loaded.settings):
        return Check(
            "completion", "warn", "Not tried, as there is no converted model.", "rest-lsp complete, or an editor."
        )
    from rest_lsp.assembly_session import open_session

    started = perf_counter()
    session = open_session(loaded.settings, [root] if root else [], silent)
    try:
        ready_s = perf_counter() - started
        found = judge(try_out(session.service, CancelToken()), device=session.status()["device"])
    finally:
        session.close()
    return Check("completion", found.status, f"Loaded in {ready_s:.1f} s. {found.reason}", found.fix)


def _code_of(device: str, dtype: str) -> str:
    if dtype == "int8" and device == "cpu":
        from rest_lsp.engine.kernels.check import compiled_for, thread_pool

        return f"int8 by the one kernel there is, compiled for {compiled_for()}, in threads by {thread_pool()}"
    if device == "cuda":
        return f"{dtype} by torch, in CUDA graphs"
    return f"{dtype} by torch"


def _in_words(cost: StepCost) -> str:
    sizes = [n for n in _SHOWN_SIZES if n <= cost.max_tokens]
    return ", ".join(f"{n} token{'s' if n > 1 else ''} {cost.ms(n, _CONTEXT):.1f} ms" for n in sizes)


def _held_bytes() -> int:
    """By this process, or by the daemon."""
    try:
        report = ask(runtime_address(), "status")
    except NoDaemon:
        report = None
    return max(resident_memory() or 0, report.memory_bytes if report is not None else 0)


def _converted(settings: Settings) -> list[Path]:
    """Folders of the configured model that an engine could open."""
    return converted_forms(model_name(settings), settings.model.cache_dir)
