"""Typing on while something is suggested: the rest at once, what was taken counted, prompts read ahead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.lsp_client import LspClient

URI = "file:///nowhere/a.py"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[LspClient]:
    with LspClient() as process:
        process.initialize(tmp_path)
        process.wait_for_state("ready")
        yield process


class Editor:
    """A document with a cursor, as an editor keeps it."""

    def __init__(self, client: LspClient, text: str, *, uri: str = URI) -> None:
        self.client, self.text, self.cursor, self.uri, self.version = client, text, len(text), uri, 1
        client.open(uri, text)

    def insert(self, text: str, *, n_replaced: int = 0) -> None:
        """One edit that puts `text` in place of what follows the cursor."""
        self.edit(self.cursor, self.cursor + n_replaced, text)

    def type(self, text: str) -> None:
        """Key by key."""
        for char in text:
            self.insert(char)

    def delete(self, n: int) -> None:
        for _ in range(n):
            self.edit(self.cursor - 1, self.cursor, "")

    def edit(self, start: int, end: int, text: str) -> None:
        place = {"start": self._position(start), "end": self._position(end)}
        self.text = self.text[:start] + text + self.text[end:]
        self.cursor = start + len(text)
        self.version += 1
        self.client.change(self.uri, self.version, {"range": place, "text": text})

    def items(self, *, kind: int = 2) -> list[dict[str, Any]]:
        position = self._position(self.cursor)
        return self.client.items(self.uri, position["line"], position["character"], kind=kind)

    def offered(self) -> str | None:
        items = self.items()
        return items[0]["insertText"] if items else None

    def accept(self, item: dict[str, Any]) -> None:
        """What an editor does with a whole item."""
        self.insert(
            item["insertText"], n_replaced=item["range"]["end"]["character"] - item["range"]["start"]["character"]
        )

    def _position(self, offset: int) -> dict[str, int]:
        line = self.text.count("\n", 0, offset)
        return {"line": line, "character": offset - (self.text.rfind("\n", 0, offset) + 1)}


def n_asked(client: LspClient) -> int:
    """How often the model was asked."""
    started = client.ask("rest/status")["datastore"]["started"]
    assert isinstance(started, int)
    return started


def counted(client: LspClient) -> dict[str, int]:
    """What is not zero of the counts of suggestions."""
    return {name: count for name, count in client.stats()["suggestions"].items() if count}


def test_what_is_typed_through_is_answered_from_before(client: LspClient) -> None:
    editor = Editor(client, "say:return_value(a)")
    (item,) = editor.items()
    assert item["insertText"] == "return_value(a)"
    for typed, left in (("r", "eturn_value(a)"), ("eturn_", "value(a)"), ("value", "(a)")):
        editor.type(typed)
        (rest,) = editor.items()
        assert rest["insertText"] == left
        assert rest["command"] == item["command"], "it is the same suggestion"
    editor.delete(4)
    assert editor.offered() == "alue(a)"
    assert n_asked(client) == 1
    assert client.stats()["cache_answers"] == 4
    assert counted(client) == {"shown": 1, "characters_typed_through": 12}
    editor.type("x")
    assert editor.offered() == "return_value(a)return_vx"
    assert n_asked(client) == 2, "what disagrees is asked anew"


def test_the_rest_stays_after_a_word_and_a_line_were_taken(client: LspClient) -> None:
    editor = Editor(client, "say:first~second\\nthird~line\\nlast")
    assert editor.offered() == "first second\nthird line\nlast"
    editor.insert("first ")
    assert editor.offered() == "second\nthird line\nlast"
    editor.insert("second\n")
    assert editor.offered() == "third line\nlast"
    (item,) = editor.items()
    editor.accept(item)
    assert counted(client) == {
        "shown": 1,
        "accepted_word": 1,
        "accepted_line": 1,
        "accepted_whole": 1,
        "inferred": 3,
        "characters_not_typed": len("first second\nthird line\nlast"),
    }
    assert n_asked(client) == 1


def test_an_act_that_is_seen_and_reported_counts_once(client: LspClient) -> None:
    editor = Editor(client, "say:first~second")
    (item,) = editor.items()
    name = item["command"]["arguments"][0]
    run = {"command": "rest.accepted", "arguments": [name, "word", 6]}
    editor.insert("first ")
    client.ask("workspace/executeCommand", run)
    client.ask("workspace/executeCommand", {"command": "rest.accepted", "arguments": [name, "whole"]})
    editor.insert("second")
    assert counted(client) == {
        "shown": 1,
        "accepted_word": 1,
        "accepted_whole": 1,
        "characters_not_typed": len("first second"),
    }


def test_a_pair_that_the_editor_closes_is_typed_over(client: LspClient) -> None:
    editor = Editor(client, "say:call(a)")
    assert editor.offered() == "call(a)"
    editor.type("call")
    editor.insert("()")
    editor.cursor -= 1
    (item,) = editor.items()
    assert item["insertText"] == "a)"
    before, length = editor.text[: editor.cursor], len(editor.text)
    assert item["range"]["end"]["character"] == item["range"]["start"]["character"] + 1
    editor.accept(item)
    assert editor.text == before + "a)"
    assert len(editor.text) == length + 1
    assert n_asked(client) == 1


def test_nothing_to_say_is_not_asked_twice(client: LspClient) -> None:
    editor = Editor(client, "empty")
    assert editor.items() == []
    assert editor.items() == []
    assert n_asked(client) == 1
    assert client.stats()["outcomes"] == {"empty": 2}


def test_the_explanation_is_of_what_is_shown(client: LspClient) -> None:
    editor = Editor(client, "say:abc")
    (first,) = editor.items()
    editor.type("a")
    (again,) = editor.items()
    explained = client.ask("workspace/executeCommand", {"command": "rest.explainLast"})
    assert [source["path"] for source in explained["sources"]] == ["other.py"]
    Editor(client, "empty", uri="untitled:b").items()
    client.notify("textDocument/didShowCompletion", {"item": again})
    assert client.ask("workspace/executeCommand", {"command": "rest.explainLast"}) is not None
    assert first["command"] == again["command"]


def test_another_model_is_asked_anew(client: LspClient) -> None:
    editor = Editor(client, "word")
    assert editor.offered() == "<4>"
    client.notify("workspace/didChangeConfiguration", {"settings": {"model": "second"}})
    client.poll_status(lambda status: status["model"] == "second" and status["state"] == "ready")
    assert editor.offered() == "<4>"
    assert n_asked(client) == 1, "the new model was asked"


def test_a_suggestion_follows_in_each_document(client: LspClient) -> None:
    first, second = Editor(client, "say:abc"), Editor(client, "say:xyz", uri="untitled:b")
    assert (first.offered(), second.offered()) == ("abc", "xyz")
    first.type("a")
    second.type("x")
    assert (first.offered(), second.offered()) == ("bc", "yz")
    assert n_asked(client) == 2


def test_prompts_are_read_when_a_document_is_opened_and_where_it_is_edited(client: LspClient) -> None:
    editor = Editor(client, "first line\n")
    client.poll_status(lambda status: status["datastore"]["prewarmed"] == "first line\n")
    editor.insert("typed")
    client.poll_status(lambda status: status["datastore"]["prewarmed"] == "first line\ntyped")
    editor.insert("()")
    client.poll_status(lambda status: status["datastore"]["prewarmed"] == "first line\ntyped(")
    states = [told["state"] for told in client.notifications("rest/didChangeStatus")]
    assert "busy" not in states, "nobody waits for it"
    Editor(client, "password\n", uri="file:///nowhere/.env")
    Editor(client, "last", uri="untitled:b")
    client.poll_status(lambda status: status["datastore"]["prewarmed"] == "last")


def test_a_request_does_not_wait_for_what_is_read_ahead(client: LspClient) -> None:
    Editor(client, "takes long", uri="untitled:b")
    client.poll_status(lambda status: status["datastore"]["prewarmed"] == "takes long")
    assert Editor(client, "word").offered() == "<4>"


def test_what_follows_a_suggestion_is_there_when_it_is_taken(client: LspClient) -> None:
    editor = Editor(client, "say:ab")
    (item,) = editor.items()
    client.poll_status(lambda status: (status["datastore"]["started"], status["datastore"]["running"]) == (2, 0))
    editor.accept(item)
    assert editor.text == "say:abab"
    assert editor.offered() == "abab"
    assert n_asked(client) == 2, "the model was not asked again"
    assert client.stats()["cache_answers"] == 1


def test_any_key_ends_what_is_made_ahead(client: LspClient) -> None:
    editor = Editor(client, "say:~slow")
    assert editor.offered() == " slow"
    client.poll_status(lambda status: (status["datastore"]["started"], status["datastore"]["running"]) == (2, 1))
    editor.type("x")
    client.poll_status(lambda status: (status["datastore"]["cancelled"], status["datastore"]["running"]) == (1, 0))
    assert editor.offered() == " slowx"
    assert client.stats()["outcomes"] == {"returned": 2}, "nobody asked for what was given up"


def test_a_file_of_secrets_is_not_completed(client: LspClient) -> None:
    editor = Editor(client, "word", uri="file:///nowhere/.env")
    assert editor.items() == []
    assert client.stats()["outcomes"] == {"secret": 1}
    log = str(client.notifications("window/logMessage"))
    assert "No completions in file:///nowhere/.env: its name says that it holds secrets." in log
    assert n_asked(client) == 0


def test_fast_keys_reach_the_model_only_when_they_pause(client: LspClient) -> None:
    editor = Editor(client, "")
    requests = []
    for char in "some long text of words":
        editor.type(char)
        requests.append(client.post_completion(URI, 0, editor.cursor, kind=2))
    answers = [client.answer(request)["result"] for request in requests]
    assert answers[-1][0]["insertText"] == "<5>"
    assert n_asked(client) < len(requests) // 2
    assert client.stats()["requests"] == len(requests)


def test_who_asks_by_key_has_several_to_choose_from(client: LspClient) -> None:
    editor = Editor(client, "x = say:some")
    assert [item["insertText"] for item in editor.items(kind=1)] == ["some", "2some", "3some"]
    items = editor.items(kind=1)
    assert [item["insertText"] for item in items] == ["some", "2some", "3some"], "known by now"
    assert len({item["command"]["arguments"][0] for item in items}) == 3
    assert client.ask("rest/status")["datastore"]["others"] == 1
    editor.type("2s")
    assert editor.offered() == "ome", "whoever types an alternative goes on seeing it"


def test_what_is_shown_stays_the_first_when_others_are_asked_for(client: LspClient) -> None:
    editor = Editor(client, "x = say:some")
    (shown,) = editor.items()
    first, *others = editor.items(kind=1)
    assert first["command"]["arguments"] == shown["command"]["arguments"]
    assert [item["insertText"] for item in others] == ["2some", "3some"]
    editor.accept(others[1])
    client.ask("workspace/executeCommand", others[1]["command"])
    assert counted(client) == {"shown": 1, "accepted_whole": 1, "characters_not_typed": 5}
