"""Picking the next token: argmax, or a draw that depends only on the seed, the position and the logits.

Because a draw is a function of its position, a sampled run with drafts equals the sampled run without, token for token.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rest_lsp.healing import Healing


@dataclass(frozen=True)
class Sampling:
    """temperature 0 is greedy; top_k 0 and top_p 1 keep every token."""

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0


def pick(logits: Tensor, position: int, sampling: Sampling, healing: Healing | None) -> int:
    """The token at absolute `position` given its `logits` `[vocab_size]`; `healing` limits it to the typed text."""
    if healing is None:
        allowed = None
    else:
        allowed = healing.allowed()
        logits = logits[torch.tensor(allowed, device=logits.device)]
    choice = int(logits.argmax()) if sampling.temperature <= 0 else _draw(logits, position, sampling)
    return choice if allowed is None else int(allowed[choice])


def log_probability(logits: Tensor, token: int, healing: Healing | None) -> float:
    """Of `token` given `logits` `[vocab_size]`, whatever the temperature; among what `healing` allows.

    One row is always summed in the same way, so that drafts change no bit of it.
    """
    among = logits if healing is None else logits[torch.tensor(healing.allowed(), device=logits.device)]
    return float(logits[token].float() - among.float().logsumexp(0))


def _draw(logits: Tensor, position: int, sampling: Sampling) -> int:
    scores = logits.cpu().double().numpy() / sampling.temperature
    order = np.argsort(-scores, kind="stable")
    if sampling.top_k > 0:
        order = order[: sampling.top_k]
    weights = np.exp(scores[order] - scores[order[0]])
    cumulative = np.cumsum(weights)
    kept = _nucleus(cumulative, sampling.top_p)
    uniform = np.random.Generator(np.random.Philox(key=sampling.seed, counter=position)).random()
    return int(order[min(int(np.searchsorted(cumulative[:kept], uniform * cumulative[kept - 1], "right")), kept - 1)])


def _nucleus(cumulative: NDArray[np.float64], top_p: float) -> int:
    """How many of the likeliest tokens reach `top_p` together (Holtzman et al., arXiv 1904.09751); at least one."""
    if top_p >= 1.0:
        return len(cumulative)
    return int(np.searchsorted(cumulative, top_p * cumulative[-1], "left")) + 1


_BLOCK = 64
"""Logits whose greatest is looked at first: that halves the time of looking for the likeliest of 150,000."""


def likeliest(logits: Tensor, n: int) -> list[int]:
    """The `n` likeliest tokens of `logits` `[vocab_size]`, the likeliest first."""
    n_blocks = len(logits) // _BLOCK
    if n_blocks < n:
        return logits.topk(min(n, len(logits))).indices.tolist()
    whole, rest = logits[: n_blocks * _BLOCK].view(n_blocks, _BLOCK), logits[n_blocks * _BLOCK :]
    blocks = whole.amax(dim=1).topk(n).indices
    tokens = torch.cat(
        [
            (blocks[:, None] * _BLOCK + torch.arange(_BLOCK, device=logits.device)).flatten(),
            torch.arange(n_blocks * _BLOCK, len(logits), device=logits.device),
        ]
    )
    best = torch.cat([whole[blocks].flatten(), rest]).topk(n).indices
    return tokens[best].tolist()
