"""Fits the weights of a logistic model by maximum likelihood, and says how good they are.  Numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RIDGE = 1.0
"""Strength of the pull towards zero: a weight that few rows speak for stays small."""

STEPS = 60
CONVERGED = 1e-9
_TINY = 1e-12


class Bin(NamedTuple):
    """Guesses of about the same promised chance: how many, what they promised, and what came true."""

    n: int
    promised: float
    kept: float


def fit_logistic(rows: Array, hits: Array, start: Array, *, ridge: float = RIDGE) -> Array:
    """Weights `[n_features]` for `rows` `[n, n_features]` and `hits` `[n]` of 0 and 1, by Newton's method.

    The first column is the bias; the others are pulled towards `start`, what is believed without any row.
    """
    weights, pull = start.copy(), np.full(rows.shape[1], ridge)
    pull[0] = 1e-6
    loss = _penalised(rows, hits, weights, start, pull)
    for _ in range(STEPS):
        chances = sigmoid(rows @ weights)
        gradient = rows.T @ (hits - chances) - pull * (weights - start)
        curvature = (rows * (chances * (1 - chances))[:, None]).T @ rows + np.diag(pull)
        step = np.linalg.solve(curvature, gradient)
        while (following := _penalised(rows, hits, weights + step, start, pull)) > loss and np.abs(
            step
        ).max() > CONVERGED:
            step = step / 2  # Far from the optimum a whole step goes too far.
        weights, gained, loss = weights + step, loss - following, following
        if gained < CONVERGED:
            break
    return weights


def _penalised(rows: Array, hits: Array, weights: Array, start: Array, pull: Array) -> float:
    return len(hits) * log_loss(sigmoid(rows @ weights), hits) + float(pull @ (weights - start) ** 2) / 2


def sigmoid(log_odds: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-np.clip(log_odds, -30, 30)))


def log_loss(chances: Array, hits: Array) -> float:
    """Mean nats per guess."""
    safe = np.clip(chances, _TINY, 1 - _TINY)
    return float(-np.mean(hits * np.log(safe) + (1 - hits) * np.log(1 - safe)))


def reliability(chances: Array, hits: Array, edges: Sequence[float]) -> list[Bin]:
    """Guesses by promised chance, between neighbouring `edges`; empty bins are left out."""
    which = np.digitize(chances, edges)
    groups = (which == index for index in range(len(edges) + 1))
    return [
        Bin(int(group.sum()), float(chances[group].mean()), float(hits[group].mean()))
        for group in groups
        if group.any()
    ]
