"""All forms of tree attention are one attention, and `rest-lsp bench attention` times each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from rest_lsp.bench.attention import FORMS, Layer, computations
from rest_lsp.bench.cli import app
from rest_lsp.engine.static_model import WIDTHS
from rest_lsp.models.convert import convert
from tests.fakes_models import RandomSource, tiny_config


def by_definition(layer: Layer) -> Tensor:
    """Softmax of scaled products over what each row sees, row by row and head by head, in float64."""
    rows = []
    for row, sees in enumerate(layer.visible):
        keys, values = (tensor[:, sees].double() for tensor in (layer.keys, layer.values))
        scores = layer.queries[row].double() @ keys.transpose(1, 2) * layer.scale
        rows.append(scores.softmax(dim=-1) @ values)
    return torch.stack(rows)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("rows", "context"), [(1, 40), (8, 0), (33, 100)])
def test_every_form_is_attention_to_the_ancestors(rows: int, context: int, dtype: torch.dtype) -> None:
    layer = Layer.random(tiny_config(), rows, context, device="cpu", dtype=dtype)
    expected = by_definition(layer)
    found = {form: compute().double() for form, compute in computations(layer).items()}
    assert tuple(found) == FORMS
    for form, result in found.items():
        assert torch.allclose(result, expected, atol=8 * torch.finfo(dtype).eps), form


def test_the_command_times_every_form_at_every_width(tmp_path: Path) -> None:
    convert(RandomSource(tiny_config()), tmp_path / "model", form="fp32", name="tiny")
    command = ["attention", "--json", str(tmp_path / "report.json"), "--model", str(tmp_path / "model")]
    command += ["--device", "cpu", "--device-dtype", "fp32", "--model-cache-dir", str(tmp_path / "cache")]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "flex, ms" in result.output
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert {(row["form"], row["rows"]) for row in report["timings"]} == {(f, width) for f in FORMS for width in WIDTHS}
    assert all(row["ms"] > 0 for row in report["timings"])
    assert max(row["difference"] for row in report["timings"]) < 1e-5
