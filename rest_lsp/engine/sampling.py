"""Picking the next token: argmax, or a draw that depends only on the seed, the position and the logits.

Because a draw is a function of its position, a sampled run with drafts equals the sampled run without, token for token.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rest_lsp.engine.kernels.logits import first_largest, log_share
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
    """Nearly every draw falls among the likeliest few hundred, so all 150,000 are sorted only when one does not."""
    scores = logits.cpu().double().numpy() / sampling.temperature
    weights = np.exp(scores - scores.max())
    uniform = np.random.Generator(np.random.Philox(key=sampling.seed, counter=position)).random()
    head = _likeliest_first(scores, sampling.top_k or _HEAD)
    if sampling.top_k > 0:
        head = head[: sampling.top_k]
        total = weights[head].sum()
    else:
        total = weights.sum()
    cumulative = np.cumsum(weights[head])
    is_whole = sampling.top_p >= 1.0
    needed = total * (uniform if is_whole else sampling.top_p)
    if sampling.top_k == 0 and cumulative[-1] <= needed:
        head = _likeliest_first(scores, len(scores))
        cumulative = np.cumsum(weights[head])
    kept = len(head) if is_whole else _nucleus(cumulative, needed)
    mass = total if is_whole else cumulative[kept - 1]
    chosen = int(np.searchsorted(cumulative[:kept], uniform * mass, "right"))
    return int(head[min(chosen, kept - 1)])


def _likeliest_first(scores: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """At least the `n` likeliest tokens, and those as likely as the last of them; of equals the lower id first."""
    among = np.flatnonzero(scores >= np.partition(scores, -n)[-n]) if n < len(scores) else np.arange(len(scores))
    return among[np.argsort(-scores[among], kind="stable")]


def _nucleus(cumulative: NDArray[np.float64], mass: float) -> int:
    """How many of the likeliest tokens reach `mass` together (Holtzman et al., arXiv 1904.09751); at least one."""
    return min(int(np.searchsorted(cumulative, mass, "left")) + 1, len(cumulative))


_HEAD = 512
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
