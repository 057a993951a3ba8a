"""Messages to the editor; what the parts of the server know of the protocol."""

from __future__ import annotations

from collections.abc import Callable

from rest_lsp.server.protocol import LifecycleProtocol


class ClientMessages:
    """Sends to the client.  To be used on the event loop."""

    def __init__(self, protocol: LifecycleProtocol) -> None:
        self._protocol = protocol

    def notify(self, method: str, params: object) -> None:
        self._protocol.notify(method, params)

    def request(self, method: str, params: object, then: Callable[[bool], None]) -> None:
        """Ask the client; `then` learns whether it agreed."""
        future = self._protocol.send_request(method, params)
        future.add_done_callback(lambda done: then(not done.cancelled() and done.exception() is None))
