"""Running out of memory, in words: a person who chose a model that is too large should read so, and not a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from rest_lsp.errors import ModelError

_OF_ALLOCATORS = ("allocate memory", "out of memory")
"""What torch's allocators say in errors that have no class of their own."""


@contextmanager
def needing_room(model: str, device: str) -> Iterator[None]:
    """Turns whatever says that memory ran out into a ModelError."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, (MemoryError, torch.OutOfMemoryError)) and not _is_of_allocators(error):
            raise
        raise ModelError(
            f"The memory of {'this machine' if device == 'cpu' else f'the device {device}'} has no room for {model}.",
            "Close what else needs much, choose a smaller model with model.name, or lower completion.prompt_tokens.",
        ) from error


def _is_of_allocators(error: BaseException) -> bool:
    return any(words in str(error).lower() for words in _OF_ALLOCATORS)
