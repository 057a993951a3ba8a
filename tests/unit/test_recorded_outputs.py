"""What the rules make of everything that a real model wrote in real files, and what must never be shown.

The model is qwen2.5-coder-0.5b in int8; `tests/recorded` holds the files, the cursors and what it wrote at each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import cache

import pytest

from rest_lsp.syntax.place import ParsedDocuments
from tests.recorded.cases import HERE, Output, RealFile, read_files, read_outputs
from tests.recorded.gaps import KINDS as GAP_KINDS
from tests.recorded.replay import Shown, indentation, ours, raw

LANGUAGES = sorted({file.language for file in read_files()})
MAX_BROKEN = 0.02
AROUND = 12
"""Lines above and below a cursor."""


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


@cache
def before_code() -> Sequence[Output]:
    return [output for output in read_outputs() if output.case.kind in GAP_KINDS]


def test_there_are_enough_of_them() -> None:
    inserted = {language: [s for _, s in shown_in(language) if s.insertion.text] for language in LANGUAGES}
    assert sum(map(len, inserted.values())) >= 2000
    assert sum(len(shown) > 20 for shown in inserted.values()) >= 6
    gaps = {language: sum(s.snapshot.is_before_code for s in shown) for language, shown in inserted.items()}
    assert sum(gaps.values()) >= 200
    assert sum(n > 3 for n in gaps.values()) >= 6


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_suggestion_does_harm(language: str) -> None:
    for file, shown in shown_in(language):
        assert_harmless(shown, file)


def assert_harmless(shown: Shown, file: RealFile) -> None:
    place = f"{file.name} at {shown.snapshot.cursor}: {shown.insertion}"
    assert "<|" not in shown.insertion.text or "<|" in shown.document, f"control token in {place}"
    assert not shown.repeats_next_line, f"the next line once more in {place}"
    assert not shown.unbalances, f"lonely bracket in {place}"
    assert not shown.mixes_blanks, f"tabs and spaces in {place}"
    assert not shown.loses_text, f"text behind the cursor lost in {place}"


def test_several_lines_before_code_do_no_harm_either() -> None:
    """As with `completion.multiline` "always"."""
    files, documents = read_files(), ParsedDocuments()
    several = 0
    for output in before_code():
        file = files[output.case.file]
        shown = ours(output, file, documents, "always")
        assert_harmless(shown, file)
        assert not (shown.insertion.text and shown.breaks)
        several += "\n" in shown.insertion.text
    assert several > 20


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_block_keeps_its_indentation_within_a_file_of_another(language: str) -> None:
    """The lines around the cursor have tabs where the rest of the file has blanks, or the other way round."""
    files, documents, mixed_raw = read_files(), ParsedDocuments(), 0
    for output in read_outputs()[::2]:
        file = files[output.case.file]
        if file.language == language:
            moved, changed = reindented_around(output, file)
            assert_harmless(ours(moved, changed, documents), changed)
            mixed_raw += raw(moved, changed, documents).mixes_blanks
    assert mixed_raw


def test_code_that_parses_still_does(capsys: pytest.CaptureFixture[str]) -> None:
    """The model alone does harm of every kind: else nothing would have been tested here."""
    kept = {language: broken([shown for _, shown in shown_in(language)]) for language in LANGUAGES}
    alone = {language: broken(raw_in(language)) for language in LANGUAGES}
    with capsys.disabled():
        print(f"\nbroken of what parsed: {told(kept.values())} shown; {told(alone.values())} of the model alone")
    assert all(n for _, n in kept.values())
    assert all(n_broken <= MAX_BROKEN * n for n_broken, n in kept.values()), kept
    assert share(alone.values()) > 0.1 > share(kept.values())
    harm = [shown for language in LANGUAGES for shown in raw_in(language)]
    assert sum(shown.repeats_next_line for shown in harm) > 10
    assert sum(shown.unbalances for shown in harm) > 40


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
        file = files[output.case.file]
        shown = ours(*rewritten(output, file, windows), ParsedDocuments()).insertion
        assert shown.text == windows(ours(output, file, ParsedDocuments()).insertion.text)


def test_every_file_comes_with_its_licence() -> None:
    for file in read_files():
        assert (HERE / "licences" / f"{file.licence}.txt").read_text(encoding="utf-8").strip()


def first_line(text: str) -> str:
    return text.partition("\n")[0].rstrip()


def windows(text: str) -> str:
    return text.replace("\n", "\r\n")


def rewritten(output: Output, file: RealFile, rewrite: Callable[[str], str]) -> tuple[Output, RealFile]:
    """The same cursor in the same text otherwise written; `rewrite` takes any beginning of it."""
    case = output.case
    moved = replace(
        case,
        start=len(rewrite(file.text[: case.start])),
        end=len(rewrite(file.text[: case.end])),
        inserted=rewrite(case.inserted),
    )
    return replace(output, case=moved), replace(file, text=rewrite(file.text))


def reindented_around(output: Output, file: RealFile) -> tuple[Output, RealFile]:
    middle = file.text.count("\n", 0, output.case.start)

    def rewrite(text: str) -> str:
        lines = text.split("\n")
        first, last = (0, len(lines)) if text == output.case.inserted else (max(0, middle - AROUND), middle + AROUND)
        return "\n".join([*lines[:first], *map(otherwise_indented, lines[first:last]), *lines[last:]])

    return rewritten(output, file, rewrite)


def otherwise_indented(line: str) -> str:
    blanks = indentation(line)
    if "\t" in blanks:
        return "    " * blanks.count("\t") + line[len(blanks) :]
    return "\t" * (len(blanks) // 2) + " " * (len(blanks) % 2) + line[len(blanks) :]


def broken(shown: Sequence[Shown]) -> tuple[int, int]:
    """How many insertions break a document that parses, and how many could."""
    judged = [one.breaks for one in shown if one.insertion.text and one.breaks is not None]
    return sum(judged), len(judged)


def share(counts: Iterable[tuple[int, int]]) -> float:
    n_broken, n = map(sum, zip(*counts, strict=True))
    return n_broken / n


def told(counts: Collection[tuple[int, int]]) -> str:
    n_broken, n = map(sum, zip(*counts, strict=True))
    return f"{n_broken} of {n:,} ({share(counts):.1%})"
