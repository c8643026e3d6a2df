"""kill -9 at random moments over the whole workflow: `python -m tests.faults.campaign --kills 50 --out FILE.csv`.

Each time a workspace that has never run is started, every fifth time with chunks, and killed at a moment drawn
uniformly from the time an undisturbed start takes: the command alone, one process of those it has started, or all of
them at once. Then nothing half-written may stand under a name that is taken for a result, the next start must finish,
and what it found must equal, bit for bit, what the undisturbed start found.
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
from tests.workflow.workspace import Finished, Workspace, finish

VICTIMS = ("the command", "one process", "all processes")
ALONE, CHUNKED = ("--cores", "1"), ("--cores", "1", "--chunks", "2")


@dataclass(frozen=True)
class Kill:
    """What was killed when, where the workflow stood, and how the next start ended."""

    number: int
    seed: int
    options: str
    victim: str
    after_s: float
    stage: str
    half_written: str
    next_exit_code: int
    next_s: float
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


def campaign(template: Workspace, folder: Path, kills: int, seed: int) -> Iterator[Kill]:
    """Strike `kills` times, each in a workspace of its own, and finish each."""
    expected, durations = {}, {}
    for options in (ALONE, CHUNKED):
        workspace = template.copy(folder / f"undisturbed{len(expected)}")
        expected[options], durations[options] = undisturbed(workspace, *options)
    assert expected[ALONE] == expected[CHUNKED], "chunks change the results"
    rng = random.Random(seed)
    for number in range(1, kills + 1):
        options = CHUNKED if number % 5 == 0 else ALONE
        stage, victim = "", rng.choice(VICTIMS)
        while not stage:  # A start that ended before its moment came was not killed: another one, and another moment.
            after = rng.uniform(0.2, durations[options])
            workspace = template.copy(folder / f"kill{number}")
            if not (stage := strike(workspace, options, after, victim, rng)):
                durations[options] = after
                shutil.rmtree(workspace.root)
        damaged = half_written(workspace)
        ended, seconds = _next_start(workspace, options)
        same = ended.code == 0 and fingerprint(workspace) == expected[options]
        same = same and (workspace.root / "results/index.html").read_text().rstrip().endswith("</html>")
        yield Kill(
            number,
            seed,
            " ".join(options),
            victim,
            round(after, 2),
            stage,
            "; ".join(damaged),
            ended.code,
            round(seconds, 1),
            same,
        )
        if same and not damaged:
            shutil.rmtree(workspace.root)


def _next_start(workspace: Workspace, options: tuple[str, ...]) -> tuple[Finished, float]:
    started = time.monotonic()
    return workspace.run_all(*_arguments(options)), time.monotonic() - started


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
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    good = 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, given.out.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(Kill.__dataclass_fields__))
        writer.writeheader()
        for kill in campaign(make(Path(folder) / "template"), Path(folder), given.kills, given.seed):
            writer.writerow(asdict(kill))
            out.flush()
            good += kill.identical and not kill.half_written
            print(f"{good} of {kill.number}: {kill.victim} after {kill.after_s} s ({kill.stage})", flush=True)
    return int(good < given.kills)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
