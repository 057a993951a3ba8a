"""The process that keeps a datastore current: `python -m rest_lsp.datastore.worker`, spoken to as `protocol` says.

It exists because tokenizing and sorting on a thread would stall queries by 5 ms each time.  It gives way to everything
else, ends with its parent, and may be killed at any moment: every commit is atomic.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from typing import BinaryIO

from rest_lsp.background import end_pause_of_group, outlive_pauses
from rest_lsp.datastore.encoders import Encoders
from rest_lsp.datastore.protocol import Message, WorkerSetup, decode_message, encode_message
from rest_lsp.datastore.upkeep import Inbox, Upkeep
from rest_lsp.priority import give_way

NICENESS = 19


def main() -> None:
    """Run until standard input ends."""
    source, sink = _take_over_pipes()
    logging.basicConfig(format="datastore: %(message)s", level=logging.WARNING, stream=sys.stderr)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    give_way(NICENESS)
    setup = WorkerSetup.from_json(decode_message(source.readline()))
    inbox: Inbox = Inbox()
    cancelled: set[int] = set()
    threading.Thread(target=_read_requests, args=(source, inbox, cancelled), daemon=True).start()

    def send(message: Message) -> None:
        sink.write(encode_message(message))
        sink.flush()

    try:
        if outlive_pauses():
            send({"event": "can pause"})
        Upkeep(setup, inbox, send, Encoders(setup.tokenizer_path), cancelled.__contains__).run()
    except BrokenPipeError:
        os._exit(0)


def _read_requests(source: BinaryIO, inbox: Inbox, cancelled: set[int]) -> None:
    """Runs on its own thread, so that a cancellation and the parent's death are noticed during work."""
    for line in source:
        message = decode_message(line)
        if message["op"] == "cancel":
            cancelled.add(message["id"])
        else:
            inbox.put(message)
    # The parent has gone or has closed the pipe.  Whatever is half done was not committed and is not needed.
    end_pause_of_group()
    os._exit(0)


def _take_over_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Our own handles for the protocol; a library that prints goes to standard error instead."""
    source = os.fdopen(os.dup(0), "rb")
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return source, sink


if __name__ == "__main__":
    main()
