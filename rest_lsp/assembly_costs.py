"""What a forward pass costs on this machine: measured once, and kept in the cache folder with what sessions saw."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from typing import NamedTuple

from rest_lsp.config import Settings
from rest_lsp.drafting.cost_model import Budget, FixedBudget, StepCost
from rest_lsp.drafting.measured_budget import MeasuredBudget
from rest_lsp.engine.choice import choose_threads
from rest_lsp.engine.engine import Engine
from rest_lsp.engine.step_timing import is_quicker_than, machine_key, measure_step_cost, quickest_of
from rest_lsp.kept_json import write_whole
from rest_lsp.models.progress import Progress, ProgressEvent, silent
from rest_lsp.workspace import CPU_MODEL

log = logging.getLogger(__name__)


def choose_budget(
    settings: Settings,
    engine: Engine,
    progress: Progress = silent,
    *,
    goes_on: bool = False,
    looks_again: bool = False,
) -> Budget:
    """A fixed number of nodes when the options say so, else what the machine's measured costs allow.

    One that `goes_on` begins with what earlier sessions saw, where benchmarks begin with what was measured.
    """
    options = settings.drafting
    if options.fixed_nodes:
        return FixedBudget(options.fixed_nodes)
    cost = known_step_cost(settings, engine, progress, looks_again=looks_again)
    seen = [sqrt(factor) for factor in _read(_path_of(settings, engine)).seen] if goes_on else ()
    return MeasuredBudget(cost, max_nodes=options.max_nodes, seen=seen)


def known_step_cost(
    settings: Settings, engine: Engine, progress: Progress = silent, *, looks_again: bool = False
) -> StepCost:
    """T(n) of this model on this machine: from the cache folder, or measured now and kept there.

    Who `looks_again` measures anew where passes have become quicker: often an index was built while they were measured.
    """
    known = _read(_path_of(settings, engine)).cost
    if known is None or (looks_again and is_quicker_than(engine, known)):
        return _measured(settings, engine, known, progress)
    return known


def keep_costs(budget: Budget, settings: Settings, engine: Engine) -> None:
    """What passes of this session took against one over a single token, for the next session: something may have
    disturbed the measurement.

    It begins halfway between the two, so that a size that was given up for too dear is tried again.
    """
    if isinstance(budget, MeasuredBudget) and budget.seen:
        _write(_path_of(settings, engine), budget.measured, budget.seen)


def kept_pass_ms(settings: Settings, device: str, dtype: str) -> float | None:
    """One token through the small model on this machine; None when that has not been measured."""
    cost = kept_cost(settings, CPU_MODEL, device, dtype)
    return cost.ms(1, 0) if cost is not None else None


def kept_cost(settings: Settings, model: str, device: str, dtype: str) -> StepCost | None:
    """T(n) of a model as it was measured on this machine; None when it has not been measured."""
    threads = int(choose_threads(settings.device.threads).value)
    return _read(_cost_path(settings, model, device, dtype, threads)).cost


def _path_of(settings: Settings, engine: Engine) -> Path:
    info = engine.info
    return _cost_path(settings, info.model, info.device, info.dtype, info.threads)


def _cost_path(settings: Settings, model: str, device: str, dtype: str, threads: int) -> Path:
    width = "-fixed" if settings.device.fixed_width and device != "cpu" else ""
    key = re.sub(r"[^\w.-]+", "_", f"{model}-{device}-{dtype}{width}-{threads}-{machine_key()}")
    return settings.model.cache_dir / "costs" / f"{key}.json"


class _Kept(NamedTuple):
    """The measured cost, and the factors that sessions saw; see `RunningCost`."""

    cost: StepCost | None = None
    seen: Sequence[float] = ()


def _read(path: Path) -> _Kept:
    """What cannot be read is as if it were not there."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        cost = StepCost({int(context): points for context, points in kept["ms"].items()})
        return _Kept(cost, [max(0.0, float(factor)) for factor in kept.get("seen", ())])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return _Kept()


def _measured(settings: Settings, engine: Engine, known: StepCost | None, progress: Progress) -> StepCost:
    progress(ProgressEvent("measure", 0, 1, "machines"))
    cost = measure_step_cost(engine)
    if known is not None:
        cost = quickest_of(cost, known)
    _write(_path_of(settings, engine), cost)
    progress(ProgressEvent("measure", 1, 1, "machines"))
    return cost


def _write(path: Path, cost: StepCost, seen: Sequence[float] = ()) -> None:
    try:
        write_whole(path, {"ms": cost.measured, "seen": list(seen)})
    except OSError as error:
        log.warning("The costs of a pass cannot be kept in %s (%s).", path, error.strerror)
