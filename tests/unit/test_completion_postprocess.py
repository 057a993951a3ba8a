"""Post-processing against golden files: adding a case is adding a file to tests/golden/postprocess."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_lsp.completion.postprocess import postprocess
from tests.fakes_completion import CURSOR, Golden, golden_files, snapshot_at


@pytest.mark.parametrize("path", golden_files("postprocess"), ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    golden = Golden.read(path)
    text, offset = golden.request.text, golden.request.offset
    insertion = postprocess(golden.sections["completion"], golden.snapshot)
    end = offset + insertion.n_replaced
    replaced = f"⟪{text[offset:end]}⟫" if insertion.n_replaced else ""
    assert f"{text[:offset]}⟦{insertion.text}⟧{replaced}{text[end:]}" == golden.sections["expected"]


code = st.text(alphabet="ab()[]{}:;,\"' \t\n", max_size=40)


@given(before=code, after=code, completion=code)
def test_only_blanks_change_and_only_the_end_is_lost(before: str, after: str, completion: str) -> None:
    insertion = postprocess(completion, snapshot_at(before + CURSOR + after))
    assert "".join(completion.split()).startswith("".join(insertion.text.split()))


@given(before=code, after=code, completion=code)
def test_what_is_replaced_is_written_again(before: str, after: str, completion: str) -> None:
    insertion = postprocess(completion, snapshot_at(before + CURSOR + after))
    assert 0 <= insertion.n_replaced <= len(after.partition("\n")[0])
    assert all(insertion.text.count(char) >= after[: insertion.n_replaced].count(char) for char in ")]}")
    assert insertion.n_replaced == 0 or insertion.text
