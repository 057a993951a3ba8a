"""How the folder of a workspace's datastore is called, and what tells tokenizers apart."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from rest_lsp.datastore.format import FORMAT_VERSION, HASH_BYTES


def tokenizer_fingerprint(tokenizer_path: Path) -> str:
    """32 hex digits that name a tokenizer.  Raises OSError."""
    return hashlib.blake2b(tokenizer_path.read_bytes(), digest_size=HASH_BYTES).hexdigest()


def workspace_directory(directory: Path, root: Path, fingerprint: str) -> Path:
    """The folder of one workspace's datastore: a readable name, and a hash of all that makes it unusable for others."""
    digest = hashlib.blake2b(f"{FORMAT_VERSION}\0{fingerprint}\0".encode() + os.fsencode(root), digest_size=8)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", root.name)[:40] or "root"
    return directory / f"{name}-{digest.hexdigest()}"
