"""`rest-lsp bench keystrokes`, `windows` and `quality`: what people see, not how fast it is decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rest_lsp.cli_options import Overrides, takes_options


@takes_options("model", "device", "completion", "drafting")
def keystrokes(
    *,
    projects: Annotated[
        str, typer.Option(help="Pinned projects whose functions are typed, with commas.", metavar="NAMES")
    ] = "flask,requests,werkzeug,httpx",
    limit: Annotated[int, typer.Option(min=1, help="Functions to type in each project.")] = 3,
    mid_line: Annotated[
        int,
        typer.Option(min=0, help="Arguments to add to calls there, with code right of the cursor; a row of their own."),
    ] = 6,
    keys: Annotated[
        int | None, typer.Option(min=1, help="Type until so many keys, in the first project; 10000 shows memory.")
    ] = None,
    arms: Annotated[
        str, typer.Option(help="ours, bare (the model asked behind every pause), or both.", metavar="ARMS")
    ] = "ours,bare",
    cadence: Annotated[float, typer.Option(min=0, help="Milliseconds from key to key, on average.")] = 200.0,
    seed: Annotated[int, typer.Option(help="Another seed chooses other functions and times.")] = 1,
    recording: Annotated[
        Path | None, typer.Option(help="Send what `rest-lsp record` kept instead, at its times.", metavar="FILE")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the whole report to this file.", metavar="OUT")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the timeline to this file.", metavar="OUT.png")] = None,
    overrides: Overrides,
) -> None:
    """Type real functions key by key through a real server, and take what is exactly right.

    Says how soon answers came and from where, how many were shown and right, what they saved, and what the server took.
    The files that are typed into are left out of the index. Until --keys only functions are typed.

        rest-lsp bench keystrokes --json keystrokes.json --plot keystrokes.png

        rest-lsp bench keystrokes --arms ours --keys 10000 --cadence 60

        rest-lsp bench keystrokes --recording session.jsonl
    """
    from rest_lsp.bench.keystrokes import KeystrokeOptions, run_keystrokes

    run_keystrokes(
        KeystrokeOptions(
            projects=projects,
            limit=limit,
            mid_line=mid_line,
            keys=keys,
            arms=arms,
            cadence_ms=cadence,
            seed=seed,
            recording=recording,
            json=json,
            plot=plot,
            overrides=overrides,
        )
    )


@takes_options("model", "device", "completion", "drafting")
def windows(
    *,
    projects: Annotated[
        str, typer.Option(help="Pinned projects, a window each, with commas.", metavar="NAMES")
    ] = "flask,requests,httpx",
    seconds: Annotated[float, typer.Option(min=0, help="How long three windows type at once.")] = 60.0,
    rounds: Annotated[int, typer.Option(min=0, help="Functions that are typed alone and beside indexing.")] = 12,
    keys: Annotated[int, typer.Option(min=1, help="Keys of each of them.")] = 12,
    cadence: Annotated[float, typer.Option(min=0, help="Milliseconds from key to key, on average.")] = 200.0,
    folder: Annotated[
        Path | None, typer.Option(help="What is indexed meanwhile. Default: the standard library.", metavar="DIR")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed chooses other functions and times.")] = 1,
    json: Annotated[Path | None, typer.Option(help="Write the whole report to this file.", metavar="OUT")] = None,
    overrides: Overrides,
) -> None:
    """Three windows that share a process: their memory beside one server's, typing at once, and typing beside indexing.

    Real fronts and a daemon of the measurement's own; yours is left alone.

        rest-lsp bench windows --json windows.json

        rest-lsp bench windows --seconds 10 --rounds 2
    """
    from rest_lsp.bench.windows import WindowsOptions, run_windows

    run_windows(
        WindowsOptions(
            projects=projects,
            seconds=seconds,
            rounds=rounds,
            keys=keys,
            cadence_ms=cadence,
            seed=seed,
            folder=folder,
            json=json,
            overrides=overrides,
        )
    )


@takes_options("model", "device")
def quality(
    *,
    sets: Annotated[
        str, typer.Option(help="single-line and random-span of HumanEval, and repository, with commas.", metavar="SETS")
    ] = "single-line,random-span,repository",
    arms: Annotated[
        str,
        typer.Option(
            help="raw (fp32 by itself), int8 (ours), post (ours, post-processed), context[:KINDS[:TOKENS]] (with parts "
            "of other files: definitions, similar or both), anchor:LINES (the prompt split above the cursor), "
            "heal:off[:LINES] (without token healing, at that anchor).",
            metavar="ARMS",
        ),
    ] = "raw,int8,post",
    projects: Annotated[
        str, typer.Option(help="Pinned projects in which holes are cut, with commas.", metavar="NAMES")
    ] = "flask,requests,werkzeug,httpx",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many cases of each set.")] = None,
    results: Annotated[
        Path | None,
        typer.Option(help="Keep each verdict here and go on from it. Default: in the cache folder.", metavar="FILE"),
    ] = None,
    report_only: Annotated[bool, typer.Option("--report-only", help="Ask nothing; sum up what is kept.")] = False,
    json: Annotated[Path | None, typer.Option(help="Write the whole report to this file.", metavar="OUT")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the report to this file.", metavar="OUT.png")] = None,
    overrides: Overrides,
) -> None:
    """Ask the model by itself and the completion service for missing code, and judge what they write.

    pass@1 by running the tests of HumanEval's infilling problems, each in a process with limits and without network;
    exact match and edit similarity everywhere. It takes hours on a laptop and may be cut at any time: run it again, and
    it goes on.

        rest-lsp bench quality --limit 40 --plot quality.png

        rest-lsp bench quality --sets single-line --results single-line.jsonl

        rest-lsp bench quality --sets repository --arms post,context:similar:256 --results context.jsonl

        rest-lsp bench quality --sets repository --arms anchor:0,anchor:4,anchor:16 --results anchors.jsonl

        rest-lsp bench quality --sets repository --arms anchor:0,heal:off:0,anchor:4,heal:off:4 --results healing.jsonl
    """
    from rest_lsp.bench.quality import QualityOptions, run_quality

    run_quality(
        QualityOptions(
            sets=sets,
            arms=arms,
            projects=projects,
            limit=limit,
            results=results,
            report_only=report_only,
            json=json,
            plot=plot,
            overrides=overrides,
        )
    )
