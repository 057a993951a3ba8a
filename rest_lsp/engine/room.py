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
        if not is_of_memory(error):
            raise
        raise ModelError(
            f"The memory of {'this machine' if device == 'cpu' else f'the device {device}'} has no room for {model}.",
            "Close what else needs much, choose a smaller model with model.name, or lower completion.prompt_tokens.",
        ) from error


def is_of_memory(error: BaseException) -> bool:
    """Whether memory has run out, by the error's class or by its words."""
    words = str(error).lower()
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(said in words for said in _OF_ALLOCATORS)
