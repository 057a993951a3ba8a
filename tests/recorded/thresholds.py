"""Where to draw the line between a suggestion and a guess:  python -m tests.recorded.thresholds

For each occasion and threshold: how many of the suggestions are shown, how many of those have the right first line, and
how many of the right ones are left.  The defaults of `completion.min_confidence_…` are the highest that keep 95 % of
the right ones, and 90 % in comments and strings, where two suggestions in three are wrong.  What was recorded before
code on the cursor's line is of prompts that were split at the cursor, also within brackets.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from rest_lsp.completion.confidence import Occasion, confidence, occasion_of
from rest_lsp.completion.multiline import is_multiline, is_unwanted
from rest_lsp.completion.request import Trigger
from rest_lsp.syntax.place import ParsedDocuments
from tests.recorded.cases import Output, read_files, read_outputs
from tests.recorded.replay import Shown, ours

THRESHOLDS = (0.0, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9)


class Judged(NamedTuple):
    """One suggestion: why it was made, how sure the model was, whether its first line is what stands there."""

    occasion: Occasion
    confidence: float
    is_right: bool


def judge() -> Iterator[Judged]:
    """What would be shown while typing without a threshold, where text was missing."""
    files, documents = read_files(), ParsedDocuments()
    for output in read_outputs():
        file, case = files[output.case.file], output.case
        shown = ours(output, file, documents)
        if not shown.insertion.text or is_unwanted(shown.snapshot) or case.kind == "new_line":
            continue
        multiline = is_multiline(shown.snapshot)
        occasion = occasion_of(shown.snapshot, Trigger.AUTOMATIC, multiline=multiline)
        is_right = _first_line(shown.insertion.text) == _first_line(file.text[case.start : case.end])
        yield Judged(occasion, _confidence(output, shown), is_right)


def _confidence(output: Output, shown: Shown) -> float:
    pieces = [(piece or "").encode("latin-1") for piece in output.pieces]
    written = b"".join(pieces)[output.pending :]
    ends = [max(0, sum(map(len, pieces[: index + 1])) - output.pending) for index in range(len(pieces))]
    starts = [len(written[:end].decode(errors="replace")) for end in [0, *ends[:-1]]]
    return confidence(output.log_probs, starts, written.decode(errors="replace"), shown.insertion.text)


def _first_line(text: str) -> str:
    return text.partition("\n")[0].rstrip()


def main() -> None:
    found: dict[Occasion, list[Judged]] = defaultdict(list)
    for judged in judge():
        found[judged.occasion].append(judged)
    for occasion, rows in found.items():
        n_right = sum(row.is_right for row in rows)
        print(f"{occasion.value}: {len(rows)} suggestions, {n_right} right")
        print("  threshold  shown  right of those  right ones kept")
        for threshold in THRESHOLDS:
            left = [row for row in rows if row.confidence >= threshold]
            right = sum(row.is_right for row in left)
            of_those, kept = right / max(1, len(left)), right / max(1, n_right)
            print(f"  {threshold:9.2f}  {len(left) / len(rows):5.0%}  {of_those:14.0%}  {kept:15.0%}")


if __name__ == "__main__":
    main()
