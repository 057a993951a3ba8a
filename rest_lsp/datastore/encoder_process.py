"""A process that only tokenises: `python -m rest_lsp.datastore.encoder_process TOKENIZER`.  Knows no files.

On standard input one JSON list of texts per line; on standard output, for each, one JSON list of token counts on a line
and then all ids as uint32 in the machine's order.  It ends with its standard input.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np

from rest_lsp.background import outlive_pauses


def main() -> None:
    """Answer until standard input ends."""
    from rest_lsp.tokenizer import Tokenizer

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    outlive_pauses()
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    tokenizer = Tokenizer.from_file(Path(sys.argv[1]))
    for line in sys.stdin.buffer:
        encoded = tokenizer.encode_batch(json.loads(line))
        sink.write(json.dumps([len(ids) for ids in encoded]).encode() + b"\n")
        for ids in encoded:
            sink.write(np.asarray(ids, dtype=np.uint32).tobytes())
        sink.flush()


if __name__ == "__main__":
    main()
