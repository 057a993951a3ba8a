"""`rest-lsp serve` as a front: passes messages between an editor and the daemon, whichever daemon that is just now.

Light, since one runs for every editor window: no torch, numpy, pygls, asyncio or pydantic.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import NoReturn

from rest_lsp.daemon.continuity import Continuity, Out, Phase
from rest_lsp.daemon.joining import FIRST_PAUSE_S, STEADY_S, Connection, Rejoin, rejoin
from rest_lsp.daemon.wire import Broken, Closing, Frame, Left
from rest_lsp.processes import is_parent
from rest_lsp.server.frames import BrokenFrame
from rest_lsp.server.stdio import FrameReader, FrameWriter, ProtocolPipes

_PARENT_POLL_S = 0.5
_END_S = 1.2
"""A daemon that has not said goodbye after so long is not waited for: the editor promises two seconds."""

_WRITER_END_S = 0.3


class Front:
    """One thread reads the editor, one the daemon; the main thread waits for the end."""

    def __init__(self, pipes: ProtocolPipes, connection: Connection, rejoin: Rejoin) -> None:
        self._rejoin = rejoin
        self._connection: Connection | None = connection
        self._continuity = Continuity()
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._is_ending = False
        self._codes: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._writer = FrameWriter(pipes.write_fd, on_broken=lambda: self._codes.put(1))
        self._reader = FrameReader(pipes.read_fd, on_frame=self._from_editor)

    def run(self) -> int:
        """Until the editor or the language server leaves; the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda received, _: self._codes.put(128 + received))
        self._writer.start()
        threading.Thread(target=self._follow_daemon, name="daemon", daemon=True).start()
        self._reader.start()
        code = self._wait()
        self._writer.close()
        self._writer.join(_WRITER_END_S)
        return code

    def _wait(self) -> int:
        parent = os.getppid()
        while True:
            with suppress(queue.Empty):
                return self._codes.get(timeout=_PARENT_POLL_S)
            if not is_parent(parent):
                return 1

    def _from_editor(self, frame: bytes | BrokenFrame | None) -> None:
        if frame is None:
            self._end()
            return
        self._wanted.set()
        with self._lock:
            if isinstance(frame, BrokenFrame):
                self._send(Broken(frame.reason))
            else:
                self._deliver(self._continuity.from_editor(frame))
        if self._continuity.has_exited:
            self._end()

    def _follow_daemon(self) -> None:
        with self._lock:
            self._deliver(self._continuity.joined())
        while self._connection is not None:
            since = time.monotonic()
            self._relay(self._connection)
            self._restore(is_steady=time.monotonic() - since > STEADY_S)

    def _relay(self, connection: Connection) -> None:
        """Until there is nothing more to come from this daemon."""
        while (message := connection.receive()) is not None:
            if isinstance(message, Frame):
                with self._lock:
                    self._deliver(self._continuity.from_server(message.body))
            elif isinstance(message, Left):
                self._codes.put(message.code)
            elif isinstance(message, Closing):
                self._wanted.clear()
            self._writer.await_room()

    def _restore(self, *, is_steady: bool) -> None:
        """Find another daemon and tell it everything."""
        with self._lock:
            self._close()
            self._deliver(self._continuity.lost())
            if self._is_ending or self._continuity.phase is Phase.SHUT_DOWN:
                self._codes.put(self._own_code())
                return
        if not is_steady:
            time.sleep(FIRST_PAUSE_S)
        self._wanted.wait()
        connection = rejoin(self._rejoin)
        with self._lock:
            self._connection = connection
            self._deliver(self._continuity.joined())

    def _deliver(self, out: Out) -> None:
        for body in out.to_server:
            self._send(Frame(body))
        for body in out.to_editor:
            self._writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def _send(self, message: Frame | Broken) -> None:
        """A daemon that has died is noticed by the thread that reads from it."""
        if self._connection is not None:
            with suppress(OSError):
                self._connection.send(message)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _end(self) -> None:
        """The editor has gone: the daemon may still answer what it was asked before."""
        self._is_ending = True
        self._wanted.set()
        with self._lock:
            connection, code = self._connection, self._own_code()
        if connection is None:
            self._codes.put(code)
            return
        connection.end_sending()
        timer = threading.Timer(_END_S, self._codes.put, [code])
        timer.daemon = True
        timer.start()

    def _own_code(self) -> int:
        return 0 if self._continuity.phase is Phase.SHUT_DOWN else 1


def run_front(pipes: ProtocolPipes, connection: Connection, rejoin: Rejoin) -> NoReturn:
    """Serve one editor until it leaves, then end the process, whatever its threads wait for."""
    code = Front(pipes, connection, rejoin).run()
    sys.stderr.flush()
    os._exit(code)
