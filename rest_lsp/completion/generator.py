"""What a completion asks of an engine.  Torch-free, so that the engine can stand in another process or be a script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from rest_lsp.cancellation import CancelToken
from rest_lsp.datastore.occurrence import Origin
from rest_lsp.drafting.drafter import Drafter
from rest_lsp.drafting.tree import DraftTree
from rest_lsp.healing import Healing

if TYPE_CHECKING:
    from rest_lsp.engine.sampling import Sampling


class Step(Protocol):
    """One forward pass: accepted draft tokens, then the model's own pick."""

    @property
    def tokens(self) -> Sequence[int]: ...
    @property
    def origins(self) -> Sequence[Origin | None]: ...
    @property
    def sources(self) -> Sequence[str | None]: ...
    @property
    def log_probs(self) -> Sequence[float]: ...
    @property
    def chances(self) -> Sequence[Sequence[tuple[int, float]]]: ...
    @property
    def tree(self) -> DraftTree: ...
    @property
    def path(self) -> Sequence[int]: ...
    @property
    def n_rows(self) -> int: ...
    @property
    def drafted(self) -> int: ...
    @property
    def draft_ms(self) -> float: ...
    @property
    def learn_ms(self) -> float: ...
    @property
    def verify_ms(self) -> float: ...
    @property
    def accept_ms(self) -> float: ...


class Prefill(Protocol):
    """What the last prompt cost: `tokens` were read, `reused` were still in the KV cache."""

    @property
    def tokens(self) -> int: ...
    @property
    def reused(self) -> int: ...
    @property
    def ms(self) -> float: ...


class Generator(Protocol):
    """Continues a prompt, one step per forward pass.  Used from one thread at a time."""

    @property
    def last_prefill(self) -> Prefill: ...

    def prefill(self, prompt: Sequence[int], cancel: CancelToken) -> None:
        """Take a prompt into the KV cache without continuing it.  Raises Cancelled between chunks, which stay."""
        ...

    def generate(
        self,
        prompt: Sequence[int],
        *,
        context: Sequence[int],
        drafter: Drafter,
        sampling: Sampling,
        healing: Healing | None,
        cancel: CancelToken,
        max_tokens: int,
        n_chances: int,
    ) -> Iterator[Step]:
        """Raises Cancelled between passes."""
        ...
