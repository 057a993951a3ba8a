"""Picking the next token: argmax, or a draw that depends only on the seed, the position and the logits.

Because a draw is a function of its position, a sampled run with drafts equals the sampled run without, token for token.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rest_lsp.engine.kernels.logits import first_largest, log_share, sum_of_powers
from rest_lsp.healing import Healing


@dataclass(frozen=True)
class Sampling:
    """temperature 0 is greedy; top_k 0 and top_p 1 keep every token."""

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0


class Chance(NamedTuple):
    """A token that could come next, and the natural logarithm of its probability."""

    token: int
    log_prob: float


def pick(logits: Tensor, position: int, sampling: Sampling, healing: Healing | None) -> int:
    """The token at absolute `position` given its `logits` `[vocab_size]`; `healing` limits it to the typed text."""
    if healing is None:
        allowed = None
    else:
        allowed = healing.allowed()
        logits = logits[torch.tensor(allowed, device=logits.device)]
    choice = _largest(logits) if sampling.temperature <= 0 else _draw(logits, position, sampling)
    return choice if allowed is None else int(allowed[choice])


def picker(sampling: Sampling) -> Callable[[Tensor, int, Healing | None], int]:
    """`pick` for a decode loop."""
    return lambda logits, position, healing: pick(logits, position, sampling, healing)


def log_probability(logits: Tensor, token: int, healing: Healing | None) -> float:
    """Of `token` given `logits` `[vocab_size]`, whatever the temperature; among what `healing` allows.

    One row is always summed in the same way, so that drafts change no bit of it.
    """
    if healing is None and _is_plain(logits):
        return log_share(logits.numpy(), token)
    among = logits if healing is None else logits[torch.tensor(healing.allowed(), device=logits.device)]
    return float(logits[token].float() - among.float().logsumexp(0))


def chances(logits: Tensor, n: int, healing: Healing | None) -> list[Chance]:
    """The `n` likeliest tokens given `logits` `[vocab_size]`, or what `healing` allows of so many, likeliest first."""
    if n == 0:
        return []
    if healing is None:
        tokens = likeliest(logits, n)
    else:
        allowed = healing.allowed()
        tokens = [int(allowed[i]) for i in likeliest(logits[torch.tensor(allowed, device=logits.device)], n)]
    return [Chance(token, log_probability(logits, token, healing)) for token in tokens]


def _largest(logits: Tensor) -> int:
    return first_largest(logits.numpy()) if _is_plain(logits) else int(logits.argmax())


def _is_plain(logits: Tensor) -> bool:
    """Whether compiled code can read them; it needs a third of the time that torch does, and no second thread."""
    return logits.device.type == "cpu" and logits.dtype == torch.float32


def _draw(logits: Tensor, position: int, sampling: Sampling) -> int:
    """Nearly every draw falls among tokens that are not far below the likeliest, so seldom more are sorted."""
    row = logits.cpu().float().numpy()
    temperature, above = max(sampling.temperature, _COLDEST), row.max()
    uniform = np.random.Generator(np.random.Philox(key=sampling.seed, counter=position)).random()
    is_whole = sampling.top_p >= 1.0
    share = uniform if is_whole else sampling.top_p
    total = math.inf if sampling.top_k else sum_of_powers(row, above, np.float32(1 / temperature))
    for depth in _DEPTHS:
        head = _likeliest_first(row, above - np.float32(depth * temperature))[: sampling.top_k or None]
        cumulative = np.cumsum(np.exp((row[head].astype(np.float64) - float(above)) / temperature))
        if len(head) == sampling.top_k or cumulative[-1] > share * total:
            break
    total = cumulative[-1] if sampling.top_k else total
    kept = len(head) if is_whole else _nucleus(cumulative, share * total)
    mass = total if is_whole else cumulative[kept - 1]
    chosen = int(np.searchsorted(cumulative[:kept], uniform * mass, "right"))
    return int(head[min(chosen, kept - 1)])


def _likeliest_first(row: NDArray[np.float32], floor: np.float32) -> NDArray[np.int64]:
    """The tokens whose logits are not below `floor`, the likeliest first; of equals the lower id first."""
    among = np.flatnonzero(row >= floor)
    return among[np.argsort(-row[among], kind="stable")]


def _nucleus(cumulative: NDArray[np.float64], mass: float) -> int:
    """How many of the likeliest tokens reach `mass` together (Holtzman et al., arXiv 1904.09751); at least one."""
    return min(int(np.searchsorted(cumulative, mass, "left")) + 1, len(cumulative))


_DEPTHS = (8.0, 16.0, math.inf)
"""Tokens down to exp(-8) of the likeliest one's probability are sorted, further ones when a draw falls among them."""

_COLDEST = 1e-6
"""Below, only equals of the likeliest token are ever drawn, and numbers overflow."""

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
