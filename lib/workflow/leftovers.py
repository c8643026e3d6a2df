"""`run_all.sh data records`: what settings that no longer exist have left under `results/*/*/members`."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from tqdm import tqdm

from lib.training import wanted
from lib.workflow.process import Busy, locked
from lib.workflow.runs import ROOT, Run, known_runs

FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
"""Later than anything that was asked for."""


def list_records(*, prune: bool = False) -> int:
    """Print one line per folder that holds records of no present setting; with `prune`, remove them first.

    Of a run whose last attempt has not succeeded nothing is known, and a run in progress is left alone.
    """
    lines = [line for run in _folders() if (line := _line(run, prune))]
    print("\n".join(lines) or "no records but those that the present settings ask for")
    return 0


def _folders() -> Iterator[Run]:
    for folder in sorted((ROOT / "results").glob("*/*/members")):
        yield Run(*folder.parts[-3:-1])


def _line(run: Run, prune: bool) -> str:
    folder = run.folder / "members"
    try:
        with locked(run.lock):
            if (since := _last_run(run)) is None:
                return ""
            found = wanted.leftovers(folder, since)
            line = _in_words(run, found)
            if prune and found:
                wanted.forget(folder, found)
                line += ", removed"
            return line
    except Busy:
        return f"{run.results}: in progress, left alone"


def _last_run(run: Run) -> datetime | None:
    """When the last whole run began; later than everything for a run without parameters; None if there is none, or it
    noted nothing of what it asked for.
    """
    if run not in known_runs():
        return FOREVER
    done = run.record()
    known = done and (run.folder / "members" / wanted.NOTE).exists()
    return datetime.fromisoformat(done["started"]) if known else None


def _in_words(run: Run, found: dict[str, list[Path]]) -> str:
    if not found:
        return ""
    size = tqdm.format_sizeof(sum(path.stat().st_size for paths in found.values() for path in paths), "B")
    gone = "the present parameters" if run in known_runs() else f"anybody, as {_relative(run.parameters)} is gone"
    return f"{run.results}: {len(found)} record{'' if len(found) == 1 else 's'} not asked for by {gone}, {size}"


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
