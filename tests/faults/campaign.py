"""kill -9 at random moments over the whole workflow: `python -m tests.faults.campaign --kills 50 --out FILE.csv`.

A workspace that has never run is started and killed at a moment drawn uniformly from the time an undisturbed start
takes: the command alone, one process of those it has started, or all of them at once. It is started again and killed
again, five times in a row, every fifth workspace with chunks. After each kill nothing half-written may stand under a
name that is taken for a result. Then a start is left in peace: it must finish, and what it found must equal, bit for
bit, what an undisturbed start found.
"""

import argparse
import csv
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from tests.faults.tiny import RUN, fingerprint, half_written, make, records
from tests.workflow.workspace import Workspace, finish

VICTIMS = ("the command", "one process", "all processes")
ALONE, CHUNKED = ("--cores", "1"), ("--cores", "1", "--chunks", "2")


@dataclass(frozen=True)
class Kill:
    """What was killed when, and where the workflow stood. `identical`: how its row of kills ended."""

    number: int
    seed: int
    row: int
    options: str
    victim: str
    after_s: float
    stage: str
    half_written: str
    last_exit_code: int
    identical: bool


def undisturbed(workspace: Workspace, *options: str) -> tuple[dict[str, str], float]:
    """What a start that nobody disturbs finds, and how long it takes."""
    started = time.monotonic()
    ended = workspace.run_all(*_arguments(options))
    assert ended.code == 0, ended
    return fingerprint(workspace), time.monotonic() - started


def strike(workspace: Workspace, options: tuple[str, ...], after: float, victim: str, rng: random.Random) -> str:
    """Start, kill after so many seconds; returns the stage that was met, "" if the start had ended before. On return
    nothing runs any more."""
    process = workspace.start(*_arguments(options))
    leader = psutil.Process(process.pid)
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=after)
        return ""
    stage = reached(workspace)
    family = _family(leader)
    targets = {"the command": [leader], "all processes": family}.get(victim) or [rng.choice(family)]
    for target in targets:
        with suppress(psutil.NoSuchProcess):
            target.send_signal(signal.SIGKILL)
    # If one process was killed the command goes on to its own end; if it was killed itself its children end with it.
    finish(process)
    psutil.wait_procs(family, timeout=60)
    return stage


def reached(workspace: Workspace) -> str:
    """The last step of the workflow that has left something."""
    folder, cache = workspace.path(RUN), workspace.root / ".reprise/cache"
    steps = {
        "status": folder / "status.json",
        "tables": folder / "tables",
        "gathering": folder / "runs.csv",
        "records": next(iter(records(workspace)), folder / "none"),
        "checkpoints": next((folder / "members").glob("*.checkpoint*"), folder / "none"),
        "cache": cache / "iemocap",
        "data": cache / "stand_ins",
        "started": folder / "failure.json",
    }
    return next((name for name, path in steps.items() if path.exists()), "nothing yet")


def campaign(template: Workspace, folder: Path, kills: int, in_a_row: int, seed: int) -> Iterator[list[Kill]]:
    """Rows of kills, each in a workspace of its own that is finished in the end, until there are `kills`."""
    first = template.copy(folder / "undisturbed")
    expected, duration = undisturbed(first, *ALONE)
    rng, struck, row = random.Random(seed), 0, 0
    while struck < kills:
        row += 1
        options = CHUNKED if row % 5 == 0 else ALONE
        workspace = template.copy(folder / f"row{row}")
        met = []
        while len(met) < min(in_a_row, kills - struck):
            victim, after = rng.choice(VICTIMS), rng.uniform(0.2, duration)
            # A start that ended before its moment came was not killed; the workspace is finished then.
            if not (stage := strike(workspace, options, after, victim, rng)):
                duration = max(5.0, after)
                break
            met.append((victim, round(after, 2), stage, "; ".join(half_written(workspace))))
        ended = workspace.run_all(*_arguments(options))
        same = ended.code == 0 and fingerprint(workspace) == expected
        same = same and (workspace.root / "results/index.html").read_text().rstrip().endswith("</html>")
        yield [
            Kill(struck + number, seed, row, " ".join(options), victim, after, stage, damaged, ended.code, same)
            for number, (victim, after, stage, damaged) in enumerate(met, start=1)
        ]
        struck += len(met)
        if same:
            shutil.rmtree(workspace.root)


def _arguments(options: tuple[str, ...]) -> tuple[str, ...]:
    return ("--only", RUN, *options)


def _family(leader: psutil.Process) -> list[psutil.Process]:
    """A process and its descendants, but not the watchers that stand in for the operating system's clean-up."""
    found = [leader]
    with suppress(psutil.NoSuchProcess):
        for child in leader.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if "watcher" not in child.cmdline():
                    found.append(child)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.campaign", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--in-a-row", type=int, default=5, help="kills before a start is left in peace")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    good = 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, given.out.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(Kill.__dataclass_fields__))
        writer.writeheader()
        folder = Path(name)
        for row in campaign(make(folder / "template"), folder, given.kills, given.in_a_row, given.seed):
            writer.writerows(map(asdict, row))
            out.flush()
            good += sum(kill.identical and not kill.half_written for kill in row)
            for kill in row:
                print(
                    f"{kill.number}: {kill.victim} after {kill.after_s} s ({kill.stage}): {kill.identical}", flush=True
                )
    print(f"{good} of {given.kills} end in the same tables, with nothing half-written")
    return int(good < given.kills)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
