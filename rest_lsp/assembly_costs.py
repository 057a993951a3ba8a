"""What a forward pass costs on this machine: measured once, kept in the cache folder, and corrected by what is seen."""

from __future__ import annotations

import json
import logging
import os
import re
from pathlib import Path

from rest_lsp.config import Settings
from rest_lsp.drafting.cost_model import Budget, FixedBudget, StepCost
from rest_lsp.drafting.measured_budget import MeasuredBudget
from rest_lsp.engine.choice import choose_threads
from rest_lsp.engine.engine import Engine
from rest_lsp.engine.step_timing import machine_key, measure_step_cost
from rest_lsp.models.progress import Progress, ProgressEvent, silent
from rest_lsp.workspace import CPU_MODEL

log = logging.getLogger(__name__)


def choose_budget(settings: Settings, engine: Engine, progress: Progress = silent) -> Budget:
    """A fixed number of nodes when the options say so, else what the machine's measured costs allow."""
    options = settings.drafting
    if options.fixed_nodes:
        return FixedBudget(options.fixed_nodes)
    return MeasuredBudget(known_step_cost(settings, engine, progress), max_nodes=options.max_nodes)


def known_step_cost(settings: Settings, engine: Engine, progress: Progress = silent) -> StepCost:
    """T(n) of this model on this machine: from the cache folder, or measured now and kept there."""
    return _read_cost(_path_of(settings, engine)) or _measured(settings, engine, progress)


def keep_costs(budget: Budget, settings: Settings, engine: Engine) -> None:
    """What passes of this session really took, for the next one: something may have disturbed the first measurement."""
    if isinstance(budget, MeasuredBudget) and budget.is_refined:
        _write_cost(_path_of(settings, engine), budget.refined())


def kept_pass_ms(settings: Settings, device: str, dtype: str) -> float | None:
    """One token through the small model on this machine; None when that has not been measured."""
    cost = kept_cost(settings, CPU_MODEL, device, dtype)
    return cost.ms(1, 0) if cost is not None else None


def kept_cost(settings: Settings, model: str, device: str, dtype: str) -> StepCost | None:
    """T(n) of a model as it is known on this machine; None when it has not been measured."""
    threads = int(choose_threads(settings.device.threads).value)
    return _read_cost(_cost_path(settings, model, device, dtype, threads))


def _path_of(settings: Settings, engine: Engine) -> Path:
    info = engine.info
    return _cost_path(settings, info.model, info.device, info.dtype, info.threads)


def _cost_path(settings: Settings, model: str, device: str, dtype: str, threads: int) -> Path:
    width = "-fixed" if settings.device.fixed_width and device != "cpu" else ""
    key = re.sub(r"[^\w.-]+", "_", f"{model}-{device}-{dtype}{width}-{threads}-{machine_key()}")
    return settings.model.cache_dir / "costs" / f"{key}.json"


def _read_cost(path: Path) -> StepCost | None:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return StepCost({int(context): points for context, points in kept["ms"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return None


def _measured(settings: Settings, engine: Engine, progress: Progress) -> StepCost:
    progress(ProgressEvent("measure", 0, 1, "machines"))
    cost = measure_step_cost(engine)
    _write_cost(_path_of(settings, engine), cost)
    progress(ProgressEvent("measure", 1, 1, "machines"))
    return cost


def _write_cost(path: Path, cost: StepCost) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps({"ms": cost.measured}), encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        log.warning("The costs of a pass cannot be kept in %s (%s); they are measured anew.", path, error.strerror)
