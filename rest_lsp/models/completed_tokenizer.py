"""Makes a tokenizer.json cover every id of its model.  Pure; knows nothing about where either came from."""

from __future__ import annotations

import json

from rest_lsp.errors import ModelError


def completed_tokenizer(tokenizer_json: bytes, vocab_size: int) -> bytes:
    """Name the ids that have rows in the model but no token, as control tokens, so that none of them is ever text.

    Models pad their embeddings to round numbers.  Raises ModelError when the tokenizer knows ids that the model lacks.
    """
    try:
        description = json.loads(tokenizer_json)
        added = description.setdefault("added_tokens", [])
        known = {*description["model"]["vocab"].values(), *(entry["id"] for entry in added)}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"The model's tokenizer.json is damaged ({error}).", "Download the model again.") from error
    if max(known, default=0) >= vocab_size:
        raise ModelError(
            f"The tokenizer has ids up to {max(known)}, but the model only {vocab_size} rows.",
            "The two do not belong together; download the model again.",
        )
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    missing = (token for token in range(vocab_size) if token not in known)
    added.extend({"id": token, "content": f"<|unused_{token}|>", **flags} for token in missing)
    return json.dumps(description, ensure_ascii=False).encode()
