"""What `bench windows` says about keys that were pressed twice."""

from __future__ import annotations

import pytest

from rest_lsp.bench.windows_report import KNOWN_MS, Beside

SOON = KNOWN_MS / 2


def test_both_ratios_are_of_keys_that_took_the_models_time() -> None:
    beside = Beside.of([100.0, SOON, 200.0, SOON, 400.0], [110.0, SOON, 200.0, 20.0, 1200.0])
    assert beside.keys == [(100.0, 110.0), (200.0, 200.0), (SOON, 20.0), (400.0, 1200.0)]
    assert beside.ratio == pytest.approx((110.0 + 200.0) / 2 / ((100.0 + 200.0) / 2))
    assert beside.ratio_of_a_key == pytest.approx((1.1 + 20.0 / SOON) / 2)


def test_without_such_keys_there_is_no_ratio() -> None:
    beside = Beside.of([SOON], [SOON])
    assert beside.ratio is None
    assert beside.ratio_of_a_key is None
