"""The dashboard without a browser: who is let in, and what they get."""

from __future__ import annotations

import asyncio
import json
import random
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from rest_lsp.dashboard.app import PAGE, Pages
from rest_lsp.dashboard.guard import Guard
from rest_lsp.dashboard.index_health import summed_up
from rest_lsp.datastore.audit import AuditEntry
from rest_lsp.errors import DatastoreError
from rest_lsp.history.events import Request
from rest_lsp.history.writer import Appender
from tests import histories

PORT = 8123
HOST = f"127.0.0.1:{PORT}"
NOW = 1_800_000_000.0


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Visitor:
    """A client without a browser's manners: it sends what it is told to."""

    def __init__(self, record: Path) -> None:
        self.guard = Guard(Pages(record, self.examine, self.check, lambda: NOW).application(), PORT)
        self.cookie = ""

    def examine(self, root: Path) -> dict[str, Any]:
        if root.name == "broken":
            raise DatastoreError("The index is broken.", "Mend it.")
        return {"root": str(root)}

    def check(self, root: Path | None) -> list[dict[str, str]]:
        return [{"name": "root", "status": "ok", "reason": str(root), "fix": ""}]

    def enter(self) -> Answer:
        answer = self.get(self.guard.address)
        [(name, morsel)] = SimpleCookie(answer.headers["set-cookie"]).items()
        self.cookie = f"{name}={morsel.value}"
        return answer

    def get(self, address: str, *, host: str = HOST, method: str = "GET", **headers: str) -> Answer:
        parts = urlsplit(address)
        sent = {
            "host": host,
            "cookie": self.cookie,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        scope = {
            "type": "http",
            "method": method,
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "root_path": "",
            "query_string": parts.query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in sent.items() if value],
        }
        return asyncio.run(self._ask(scope))

    async def _ask(self, scope: dict[str, Any]) -> Answer:
        messages: list[Any] = []

        requests = iter([{"type": "http.request", "body": b"", "more_body": False}])
        over = asyncio.Event()

        async def receive() -> Any:
            for request in requests:
                return request
            await over.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            messages.append(message)

        await self.guard(scope, receive, send)
        headers = {name.decode().lower(): value.decode() for name, value in messages[0]["headers"]}
        return Answer(messages[0]["status"], headers, b"".join(each.get("body", b"") for each in messages[1:]))


@pytest.fixture
def record(tmp_path: Path) -> Path:
    path = tmp_path / "history.sqlite"
    appender = Appender(path, 1 << 30)
    for number, root in enumerate(("/a", "/b", "/broken")):
        made = histories.completion(random.Random(number))
        appender.append([Request(NOW - 5, root, f"{number}.py", "returned", 9.0, completion=made)])
    appender.close()
    return path


@pytest.fixture
def visitor(record: Path) -> Visitor:
    return Visitor(record)


def test_the_address_lets_one_browser_in_and_then_its_cookie_does(visitor: Visitor) -> None:
    entered = visitor.enter()
    assert entered.status == 200
    assert {"HttpOnly", "SameSite=Strict"} <= set(entered.headers["set-cookie"].split("; "))
    assert visitor.get("/").status == 200
    assert visitor.get("/api/overview").status == 200
    visitor.cookie = ""
    again = visitor.get(visitor.guard.address)
    assert (again.status, "set-cookie" in again.headers) == (403, False)


@pytest.mark.parametrize("path", ["/", "/api/overview", "/api/completions", "/api/index/1", "/assets/main.js"])
def test_nobody_else_gets_anything(visitor: Visitor, path: str) -> None:
    assert visitor.get(path).status == 401
    assert visitor.get(path, cookie=f"rest_lsp_dashboard_{PORT}=wrong").status == 401
    assert visitor.get("/?token=wrong").status == 403
    visitor.enter()
    assert visitor.get(path).status == 200


@pytest.mark.parametrize("host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}", ""])
def test_a_foreign_name_for_this_machine_is_refused(visitor: Visitor, host: str) -> None:
    assert visitor.get(visitor.guard.address, host=host).status == 421
    visitor.enter()
    assert visitor.get("/api/overview", host=host).status == 421
    assert visitor.get("/api/overview", host=f"localhost:{PORT}").status == 200


def test_pages_of_other_sites_are_refused_even_with_the_cookie(visitor: Visitor) -> None:
    visitor.enter()
    for site in ("cross-site", "same-site"):
        assert visitor.get("/api/overview", sec_fetch_site=site).status == 403
    assert visitor.get("/api/overview", sec_fetch_site="same-origin").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_there_is_nothing_to_change(visitor: Visitor, method: str) -> None:
    visitor.enter()
    assert visitor.get("/api/overview", method=method).status == 405


@pytest.mark.parametrize("path", ["/", "/api/overview", "/api/completions/99", "/assets/main.js", "/nothing"])
def test_every_answer_forbids_scripts_from_elsewhere_and_frames(visitor: Visitor, path: str) -> None:
    visitor.enter()
    for answer in (visitor.get(path), visitor.get(path, host="evil.example")):
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"


def test_the_page_names_nothing_that_lies_elsewhere() -> None:
    for path in (*PAGE.glob("*.html"), *PAGE.glob("*.js"), *PAGE.glob("*.css")):
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text, path.name
        assert "https:" not in text, path.name
        assert "<script>" not in text, path.name
        assert " style=" not in text, path.name


def test_nothing_is_sent_when_nothing_is_new(visitor: Visitor, record: Path) -> None:
    visitor.enter()
    known = visitor.get("/api/overview").json["revision"]
    assert visitor.get(f"/api/overview?known={known}").status == 204
    appender = Appender(record, 1 << 30)
    appender.append([Request(NOW, "/a", "a.py", "returned", 9.0)])
    appender.close()
    assert visitor.get(f"/api/overview?known={known}").json["totals"]["requests"] == 4


def test_wrong_questions_are_answered_with_a_sentence(visitor: Visitor) -> None:
    visitor.enter()
    wrong = (
        "/api/overview?span=3y",
        "/api/overview?workspace=x",
        "/api/completions/99",
        "/api/index/99",
        "/api/index/3",
    )
    answers = [visitor.get(path) for path in wrong]
    assert [answer.status for answer in answers] == [400, 400, 404, 404, 409]
    assert all(answer.json["message"].endswith(".") for answer in answers)


def test_checks_are_of_the_workspace_that_is_chosen(visitor: Visitor) -> None:
    visitor.enter()
    [chosen] = [each for each in visitor.get("/api/overview").json["workspaces"] if each["root"] == "/b"]
    assert visitor.get("/api/checks").json[0]["reason"] == "None"
    assert visitor.get(f"/api/checks?workspace={chosen['id']}").json[0]["reason"] == "/b"
    assert visitor.get("/api/checks?workspace=99").status == 404


def test_before_the_first_completion_there_is_a_page_all_the_same(tmp_path: Path) -> None:
    visitor = Visitor(tmp_path / "none" / "history.sqlite")
    visitor.enter()
    assert visitor.get("/api/overview").json is None
    assert visitor.get("/api/completions").json == []


def test_a_damaged_record_is_told_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    path.write_bytes(b"no database" * 1000)
    visitor = Visitor(path)
    visitor.enter()
    answer = visitor.get("/api/overview")
    assert answer.status == 500
    assert "cannot be read" in answer.json["message"]


def test_what_an_index_leaves_out_is_counted_by_reason() -> None:
    entries = [
        AuditEntry("a.py", None, indexed=True, secret_lines=2),
        AuditEntry("b.py", None, indexed=False),
        AuditEntry(".env", "secret", indexed=False),
        AuditEntry("x.bin", "binary", indexed=False),
        AuditEntry("y.bin", "binary", indexed=False),
    ]
    found = summed_up(entries)
    assert (found["indexed"], found["waiting"], found["secret_lines"]) == (1, 1, 2)
    assert [(each["reason"], each["n"]) for each in found["left_out"]] == [("binary", 2), ("secret", 1)]
