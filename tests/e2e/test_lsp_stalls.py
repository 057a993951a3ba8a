"""A pass of the model that does not return: the person is told, and where there is a daemon, it is replaced."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from rest_lsp.daemon.address import Address
from rest_lsp.daemon.joining import ask
from tests.e2e.lsp_client import LspClient
from tests.e2e.test_lsp_ending import wait_until_gone

URI = "file:///nowhere/a.py"
OTHER = "file:///nowhere/b.py"


def wait_for_reason(client: LspClient, words: str) -> str:
    """The fix that goes with it."""
    told = client.wait_for(
        lambda message: message.get("method") == "rest/didChangeStatus" and words in (message["params"]["reason"] or "")
    )
    return str(told["params"]["fix"])


def test_a_pass_that_does_not_return_is_told_and_does_not_silence_the_editor(way: str, runtime_folder: Path) -> None:
    with ExitStack() as stack:
        client, other = (stack.enter_context(LspClient("--impatient")) for _ in range(2))
        for window in (client, other):
            window.initialize()
            window.wait_for_state("ready")
        client.open(URI, "stuck")
        request = client.post_completion(URI, 0, 5)
        fix = wait_for_reason(client, "has not moved for")
        if way == "in process":
            assert "Restart the server" in fix
            assert client.wait_for_state("error")["reason"] == "The model is stuck in one of its passes."
            assert len(client.notifications("window/showMessage")) == 1
            return
        assert "daemon restart" in fix
        assert wait_for_reason(other, "has not moved for") == fix
        report = ask(Address(runtime_folder), "status")
        assert report is not None
        wait_until_gone(report.pid)
        assert client.answer(request)["result"] is None, "what takes two daemons with it is not asked again"
        client.change(URI, 2, {"text": "word"})
        assert client.complete(URI, 0, 4)[0]["insertText"] == "<4>"
        other.open(OTHER, "longer")
        assert other.complete(OTHER, 0, 6)[0]["insertText"] == "<6>"
        assert "stuck in one of its passes" in Address(runtime_folder).log.read_text()
        assert "_answer" in Address(runtime_folder).stray_output.read_text(), "where it hangs can be looked up"
        assert [message for window in (client, other) for message in window.notifications("window/showMessage")] == []
