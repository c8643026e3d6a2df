"""What executes runs as a child process: which command, where its chatter goes, and its end with ours.

That is Snakemake, or for a single run on this machine, where there is nothing to schedule, the runner itself.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from lib.files import write_text
from lib.workflow.messages import PREFIX, told
from lib.workflow.process import dismiss, end_with_us, stop
from lib.workflow.runs import ROOT, Run
from lib.workflow.surroundings import python_command, snakemakes

LOG = ROOT / ".reprise" / "snakemake.log"
PATIENCE_S = 10.0


def available_cores() -> int:
    """The cores this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def command(
    runs: Sequence[Run],
    cores: int | None,
    profile: str | None,
    chunks: Mapping[Run, int] | None = None,
    devices: Sequence[str] = (),
) -> list[str]:
    """Force these runs and nothing else; those in `chunks` after as many chunks, of which only missing ones are made.
    One run alone, without chunks, profile and devices, is a runner.

    Locks are ours (`--nolock`): they never outlive a killed process. With `devices`, GPUs of this machine, as many jobs
    run at once as there are, each on one of its own.
    """
    chunks = chunks or {}
    if len(runs) == 1 and not chunks and not devices and profile is None:
        whole = ("--cores", str(cores or available_cores()))
        return python_command("lib.workflow.runner", runs[0].notebook, runs[0].name, *whole)
    targets = [f"{run.results}/{run.done.name}" for run in runs]
    side_by_side = len(devices) or max(1, sum(chunks.values()))
    options = [
        *("--nolock", "--keep-going", "--force", "--rerun-incomplete", "--nocolor"),
        *("--rerun-triggers", "mtime", "--scheduler", "greedy"),
    ]
    if profile is None:
        cores = cores or available_cores()
        threads = max(1, cores // len(runs))
        chunk_threads = max(1, cores // side_by_side)
        options += ["--cores", str(cores), "--workflow-profile", "none"]
    else:
        threads = chunk_threads = cores or 1
        here = ROOT / "profiles" / profile
        options += ["--workflow-profile", str(here)] if here.is_dir() else ["--profile", profile]
    if devices:
        options += ["--resources", f"device={len(devices)}"]
    options += [
        # From the top of the workspace, and not by its path, in which Snakemake would take braces for patterns.
        *("--snakefile", "Snakefile"),
        *("--config", f"threads={threads}", f"chunk_threads={chunk_threads}"),
    ]
    if chunks:
        options.append(f"chunks={','.join(f'{run}:{count}' for run, count in chunks.items())}")
    if devices:
        options.append(f"devices={','.join(devices)}")
    return python_command("snakemake", *targets, *options)


@contextmanager
def executing(arguments: Sequence[str], profile: str | None) -> Iterator[subprocess.Popen]:
    """Run it during the block, in a process group of its own that ends with the block or with this process."""
    with LOG.open("w", encoding="utf-8") as log:
        child = subprocess.Popen(
            arguments,
            cwd=ROOT,
            env=snakemakes(os.environ, profile),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    watcher = end_with_us(child.pid)
    try:
        yield child
    finally:
        stop(child, PATIENCE_S)
        dismiss(watcher)


def last_words() -> str:
    """The last line the child said, for when it ended without starting anything."""
    lines = _lines()
    return f"{lines[-1] if lines else 'nothing was said'}; see {LOG.relative_to(ROOT)}"


def refusal() -> str:
    """What the machine refuses, as one of our processes said it or as shows now; empty if it refuses nothing."""
    ours = [line.removeprefix(PREFIX) for line in _lines() if line.startswith(PREFIX)]
    if ours:
        return ours[-1]
    for folder in (LOG.parent, ROOT / "results"):
        try:
            write_text(folder / ".probe", " " * 4096)
            (folder / ".probe").unlink()
        except OSError as error:
            error.filename = str(folder)
            return told(error)
    return ""


def _lines() -> list[str]:
    return [line.strip() for line in LOG.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
