"""What the rules make of everything that a real model wrote in real files, and what must never be shown.

The model is qwen2.5-coder-0.5b in int8; `tests/recorded` holds the files, the cursors and what it wrote at each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest

from rest_lsp.syntax.place import ParsedDocuments
from tests.recorded.cases import HERE, RealFile, read_files, read_outputs
from tests.recorded.replay import Shown, ours, raw

LANGUAGES = sorted({file.language for file in read_files()})
MAX_BROKEN = 0.02


@cache
def shown_in(language: str) -> Sequence[tuple[RealFile, Shown]]:
    files, documents = read_files(), ParsedDocuments()
    outputs = [output for output in read_outputs() if files[output.case.file].language == language]
    return [(files[output.case.file], ours(output, files[output.case.file], documents)) for output in outputs]


@cache
def raw_in(language: str) -> Sequence[Shown]:
    files, documents = read_files(), ParsedDocuments()
    outputs = [output for output in read_outputs() if files[output.case.file].language == language]
    return [raw(output, files[output.case.file], documents) for output in outputs]


def test_there_are_enough_of_them() -> None:
    assert len(LANGUAGES) >= 6
    assert sum(len(shown_in(language)) for language in LANGUAGES) >= 2000
    assert all(any(shown.insertion.text for _, shown in shown_in(language)) for language in LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_suggestion_does_harm(language: str) -> None:
    for file, shown in shown_in(language):
        place = f"{file.name} at {shown.snapshot.cursor}: {shown.insertion}"
        assert "<|" not in shown.insertion.text or "<|" in shown.document, f"control token in {place}"
        assert not shown.repeats_next_line, f"the next line once more in {place}"
        assert not shown.unbalances, f"lonely bracket in {place}"
        assert not shown.mixes_blanks, f"tabs and spaces in {place}"
        assert not shown.loses_text, f"text behind the cursor lost in {place}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_code_that_parses_still_does(language: str) -> None:
    judged = [shown.breaks for _, shown in shown_in(language) if shown.insertion.text and shown.breaks is not None]
    assert judged
    assert sum(judged) <= MAX_BROKEN * len(judged)


def test_the_model_alone_does_every_kind_of_harm() -> None:
    """Else nothing would have been tested above."""
    alone = [shown for language in LANGUAGES for shown in raw_in(language)]
    assert sum(shown.repeats_next_line for shown in alone) > 10
    assert sum(shown.unbalances for shown in alone) > 40
    judged = [shown.breaks for shown in alone if shown.breaks is not None]
    assert sum(judged) > 0.1 * len(judged)


def test_what_is_right_stays_right() -> None:
    """Of the first lines that the model got exactly right, few may be lost to the rules."""
    files, outputs = read_files(), read_outputs()
    documents, right, kept = ParsedDocuments(), 0, 0
    for output in outputs:
        file = files[output.case.file]
        truth = first_line(file.text[output.case.start : output.case.end])
        if truth and first_line(raw(output, file, documents).insertion.text) == truth:
            right += 1
            kept += first_line(ours(output, file, documents).insertion.text) == truth
    assert right > 200
    assert kept > 0.9 * right


def test_line_ends_of_windows_change_no_suggestion() -> None:
    files, outputs = read_files(), read_outputs()
    for output in outputs[::20]:
        file, case = files[output.case.file], output.case
        with_returns = replace(file, text=windows(file.text))
        moved = replace(
            case,
            start=len(windows(file.text[: case.start])),
            end=len(windows(file.text[: case.end])),
            inserted=windows(case.inserted),
        )
        shown = ours(replace(output, case=moved), with_returns, ParsedDocuments()).insertion
        assert shown.text == windows(ours(output, file, ParsedDocuments()).insertion.text)


def test_every_file_comes_with_its_licence() -> None:
    for file in read_files():
        assert (HERE / "licences" / f"{file.licence}.txt").read_text(encoding="utf-8").strip()


def first_line(text: str) -> str:
    return text.partition("\n")[0].rstrip()


def windows(text: str) -> str:
    return text.replace("\n", "\r\n")
