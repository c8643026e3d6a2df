"""The verb `reproduce`: repeat the stale runs and say how each of them ended."""

import argparse
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from threading import Thread

from lib.errors import InputError
from lib.model_file import ModelFile, named_in
from lib.papers import load
from lib.workflow.chunk_jobs import Chunk, chunk_counts, chunks, forget_stale
from lib.workflow.display import Display, Followed, Outcome, plan, summary
from lib.workflow.freshness import Freshness, comes_last
from lib.workflow.messages import complain
from lib.workflow.process import Busy, Stopped, locked, stop_on_signals
from lib.workflow.runs import ROOT, Run, known_runs
from lib.workflow.scheduler import command, executing, last_words, refusal

POLL_S = 0.1
PAGE = "results/index.html"
UP_TO_DATE = "up to date"


def reproduce(request: argparse.Namespace) -> int:
    """The exit code: 0 all is well, 2 if only unusable input failed, else 1. Raises InputError if one is running, and
    if every run that was asked for has a model that only a run called by its name may execute."""
    request.runs = _without_strange_code(request.runs, request.only)
    if request.dry_run:
        print(plan(_planned(request.runs)))
        return 0
    try:
        with locked(ROOT / ".reprise" / "run.lock"):
            return _reproduce(request)
    except Busy as busy:
        raise InputError(f"{busy} is reproducing in this workspace", todo="wait for it or stop it") from None
    except BrokenPipeError:  # nobody reads how it goes on, so it was stopped: what was asked for is not there
        return 1


def _reproduce(request: argparse.Namespace) -> int:
    outcomes: dict[Run, Outcome] = {}
    display, stopped = Display(), None
    stop_on_signals()
    for runs in _in_order(request.runs):
        if stopped is None:
            found, stopped = _bring_up_to_date(runs, request, display)
            outcomes |= found
    # All is done: who has stopped reading misses words alone.
    with suppress(BrokenPipeError):
        display.line(summary(list(outcomes.values())))
    if any(outcome.state != UP_TO_DATE for outcome in outcomes.values()) or not (ROOT / PAGE).exists():
        _write_page()
    with suppress(BrokenPipeError):
        display.line(f"all papers: {PAGE}")
    if stopped:
        return stopped.code
    failures = [outcome.failure for outcome in outcomes.values() if outcome.failure]
    if not failures:
        return 0
    return 2 if all(failure.state == "input_error" for failure in failures) else 1


def _without_strange_code(runs: Sequence[Run], only: Sequence[str]) -> tuple[Run, ...]:
    """The runs without those whose parameters want code executed that lies outside the workspace, unless the user has
    called them by their whole name, `--only NOTEBOOK/RUN`. Each that is left out is told in a line."""
    named = {wanted.strip("/") for wanted in only}
    strangers = {
        run: InputError(
            f"its model {files[0]} lies outside the workspace, and is executed only for a run that is named",
            where=run,
            todo=f"name it if you trust that file: --only {run}",
        )
        for run in runs
        if str(run) not in named and (files := _outside(run))
    }
    if strangers and len(strangers) == len(runs):
        raise next(iter(strangers.values()))
    for error in strangers.values():
        complain(str(error), prefix="skipped: ")
    return tuple(run for run in runs if run not in strangers)


def _outside(run: Run) -> list[ModelFile]:
    """The models of a run that lie outside the workspace; none where its parameters cannot be used, as it will say."""
    try:
        return [file for file in named_in(load(run.parameters, results=run.results)) if file.outside]
    except InputError:
        return []


def _in_order(runs: Sequence[Run]) -> tuple[list[Run], list[Run]]:
    """Those that compute, and those that read the results of all others."""
    return [run for run in runs if not comes_last(run)], [run for run in runs if comes_last(run)]


def _bring_up_to_date(
    runs: Sequence[Run], request: argparse.Namespace, display: Display
) -> tuple[dict[Run, Outcome], Stopped | None]:
    """How each run is or ended, and the signal that ended them early, if one did."""
    freshness = Freshness()
    reasons = {run: freshness.why_stale(run) for run in runs}
    outcomes = {run: Outcome(run, UP_TO_DATE, run.record()["seconds"]) for run, why in reasons.items() if not why}
    stale = [run for run in runs if run not in outcomes]
    for run in stale:
        display.line(f"to run    {run} ({reasons[run]})")
    repeated, stopped = _repeat(stale, request, freshness, display) if stale else ({}, None)
    return {run: (outcomes | repeated)[run] for run in runs}, stopped


def _write_page() -> None:
    """The page over the results of all runs, also of those that were not asked for."""
    from lib.papers.summary.page import write_page

    runs = [(run.notebook, run.name) for run in known_runs()]
    write_page(ROOT / "results", runs, memory=ROOT / ".reprise" / "page")


def _repeat(
    stale: Sequence[Run], request: argparse.Namespace, freshness: Freshness, display: Display
) -> tuple[dict[Run, Outcome], Stopped | None]:
    """How the runs ended, and the signal that ended them early, if one did."""
    counts = chunk_counts(stale, request.chunks, freshness)
    todo = {run: _todo(run, count, freshness) for run, count in counts.items()}
    for run, left in todo.items():
        display.line(f"chunks    {run}: {counts[run]}, of which {counts[run] - len(left)} are done")
    following = [Followed(run, todo.get(run, ())) for run in stale]
    arguments = command(stale, request.cores, request.profile, counts, request.devices)
    stopped = None
    # What is needed afterwards, half a second of work, for which the run, which gets ready itself, need not wait.
    Thread(target=import_module, args=("lib.papers.summary.page",), daemon=True).start()
    try:
        with executing(arguments, request.profile) as child:
            while child.poll() is None:
                _show(following, display)
                time.sleep(POLL_S)
    except Stopped as signal:
        stopped = signal
    _show(following, display)
    silent = any(followed.whole.ended is None for followed in following)
    refused = refusal() if silent and not stopped else ""
    words = f"stopped by {stopped.signal.name}" if stopped else refused or last_words()
    return {followed.run: followed.outcome(words, refused) for followed in following}, stopped


def _todo(run: Run, count: int, freshness: Freshness) -> list[Chunk]:
    """The chunks that are not done with the inputs of now."""
    try:
        return forget_stale(run, count, freshness)
    except InputError:
        return chunks(run, count)  # Each of them will say what is wrong.


def _show(following: Sequence[Followed], display: Display) -> None:
    for followed in following:
        for text in followed.look():
            display.line(text)
    display.running({followed.run: followed.whole.seconds() for followed in following if followed.whole.is_running})


def _planned(runs: Sequence[Run]) -> dict[Run, str]:
    """What would run, and why; what reads the results of others follows them."""
    freshness = Freshness()
    reasons = {run: freshness.why_stale(run) for run in runs}
    if any(why and not comes_last(run) for run, why in reasons.items()):
        reasons |= {run: why or "results that it reads would change" for run, why in reasons.items() if comes_last(run)}
    return reasons
