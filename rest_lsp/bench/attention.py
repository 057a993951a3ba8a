"""`rest-lsp bench attention`: the forms of tree attention side by side, at a model's sizes, without its weights."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rich import box
from rich.console import Console
from rich.table import Table
from torch import Tensor

from rest_lsp.assembly_model import choose_model
from rest_lsp.bench.machine import this_machine
from rest_lsp.bench.summary import write_report
from rest_lsp.config import Settings
from rest_lsp.engine.choice import activation_type, choose_device, choose_dtype, choose_form
from rest_lsp.engine.cuda_graphs import Compute, GraphCapture
from rest_lsp.engine.static_model import WIDTHS
from rest_lsp.engine.tree_attention import ancestors_of, attend_along, attend_where, bias_of, stacked, unstacked
from rest_lsp.models.packed import DecoderConfig
from rest_lsp.workspace import model_store

CONTEXTS = (256, 1024)
LAYERS = 8
"""Calls in one replay, so that a replay takes long enough to be timed."""

ROUNDS = 7
FORMS = ("mask", "flex", "paths")
"""SDPA with a mask, FlexAttention with the same, and SDPA over keys gathered for each row."""


@dataclass(frozen=True)
class Timing:
    """One form over `rows` rows behind `context` tokens, per layer, and how far it is from the first form at most."""

    form: str
    rows: int
    context: int
    ms: float
    difference: float


@dataclass(frozen=True)
class Layer:
    """What a layer attends with: queries, cached keys and values, and the tree in both of its descriptions."""

    queries: Tensor
    keys: Tensor
    values: Tensor
    visible: Tensor
    paths: Tensor
    positions: Tensor
    scale: float

    @classmethod
    def random(cls, config: DecoderConfig, rows: int, context: int, *, device: str, dtype: torch.dtype) -> Layer:
        """A binary tree of `rows` rows behind `context` slots."""
        draw = torch.Generator().manual_seed(rows + context)

        def numbers(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=draw).to(device, dtype)

        ancestors = torch.from_numpy(ancestors_of([(row + 1) // 2 - 1 for row in range(rows)]))
        slots = context + rows
        visible = torch.cat([torch.ones(rows, context, dtype=torch.bool), ancestors], dim=1)
        paths = torch.arange(slots).repeat(rows, 1)
        for row, line in enumerate(ancestors):
            path = context + line.nonzero().flatten()
            paths[row, context : context + len(path)] = path
        positions = context + ancestors.sum(dim=1) - 1
        keys, values = (numbers(config.n_kv_heads, slots, config.head_dim) for _ in range(2))
        queries = numbers(rows, config.n_kv_heads, config.group, config.head_dim)
        visible, paths, positions = (tensor.to(device) for tensor in (visible, paths, positions))
        return cls(queries, keys, values, visible, paths, positions, config.head_dim**-0.5)


def computations(layer: Layer) -> dict[str, Compute]:
    """Attention of one layer in each of the FORMS."""
    n_slots, dtype = layer.keys.shape[1], layer.queries.dtype
    bias = bias_of(layer.visible, dtype).repeat(layer.queries.shape[2], 1)
    behind = torch.arange(n_slots, device=layer.keys.device) <= layer.positions[:, None]
    end = bias_of(behind, dtype)[:, None, None]
    operands = (layer.queries, layer.keys, layer.values)
    flex = flex_attention_for(layer.keys.device.type)
    return {
        "mask": lambda: attend_where(*operands, bias, layer.scale),
        "flex": lambda: attend_flexibly(*operands, bias, layer.scale, flex),
        "paths": lambda: attend_along(*operands, layer.paths, end, layer.scale),
    }


def attend_flexibly(
    queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor, scale: float, flex: Callable[..., Any]
) -> Tensor:
    """`attend_where` by FlexAttention, which fuses the mask into its kernel where it is compiled."""

    def biased(score: Tensor, _batch: Tensor, _head: Tensor, row: Tensor, slot: Tensor) -> Tensor:
        return score + bias[row, slot]

    out: Tensor = flex(stacked(queries), keys[None], values[None], score_mod=biased, scale=scale)
    return unstacked(out, queries)


def flex_attention_for(device: str) -> Callable[..., Any]:
    """Compiled for CUDA; elsewhere its plain definition, which is right and slow."""
    from torch.nn.attention.flex_attention import flex_attention

    if device == "cuda":
        compiled: Callable[..., Any] = torch.compile(flex_attention, dynamic=False)
        return compiled
    return flex_attention


@torch.inference_mode()
def measure(
    config: DecoderConfig,
    *,
    device: str,
    dtype: torch.dtype,
    widths: Sequence[int] = WIDTHS,
    contexts: Sequence[int] = CONTEXTS,
) -> Iterator[Timing]:
    """Every form at every width and context; on CUDA in graphs, as the engine runs them."""
    capture = GraphCapture() if device == "cuda" else None
    for context in contexts:
        for rows in widths:
            layer = Layer.random(config, rows, context, device=device, dtype=dtype)
            forms = computations(layer)
            expected = forms["mask"]().float()
            for form, compute in forms.items():
                difference = float((compute().float() - expected).abs().max())
                yield Timing(form, rows, context, _milliseconds(compute, capture), difference)


def print_timings(console: Console, title: str, timings: Sequence[Timing]) -> None:
    """One row per context and width, one column per form."""
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1))
    for column in ("context", "rows", *(f"{form}, ms" for form in FORMS)):
        table.add_column(column, justify="right", no_wrap=True)
    ms = {(timing.context, timing.rows, timing.form): timing.ms for timing in timings}
    for context, rows in dict.fromkeys((timing.context, timing.rows) for timing in timings):
        table.add_row(str(context), str(rows), *(f"{ms[context, rows, form]:.4f}" for form in FORMS))
    console.print(table)
    largest = max(timing.difference for timing in timings)
    console.print(f"The forms differ by {largest:.1e} at most.", highlight=False)


def run_attention(console: Console, settings: Settings, out: Path | None) -> None:
    """Measure, print, and write what was asked for."""
    device = choose_device(settings.device.name).value
    number_format = choose_dtype(settings.device.dtype, device).value
    # On a CPU int8 has a kernel of its own, which these forms have no part in.
    dtype = torch.float32 if (device, number_format) == ("cpu", "int8") else activation_type(number_format, device)
    name = choose_model(settings, device, None).value
    config = model_store(settings).open(name, choose_form(number_format)).config
    with warnings.catch_warnings():
        # FlexAttention warns where it is not compiled, which is known here.
        warnings.simplefilter("ignore")
        timings = list(measure(config, device=device, dtype=dtype))
    machine = this_machine()
    print_timings(console, f"Attention of one layer in {str(dtype).removeprefix('torch.')}, {machine.label}", timings)
    if out is not None:
        rows = [asdict(timing) for timing in timings]
        write_report(out, {"machine": machine.to_json(), "dtype": str(dtype), "device": device, "timings": rows})


def _milliseconds(compute: Compute, capture: GraphCapture | None) -> float:
    def layers() -> Tensor:
        for _ in range(LAYERS - 1):
            compute()
        return compute()

    run = layers if capture is None else capture(layers)
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        run().flatten()[0].item()
        times.append(time.perf_counter() - start)
    return 1e3 * median(times) / LAYERS
