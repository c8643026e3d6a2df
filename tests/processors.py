"""Runs pytest as other x86 processors would round: `python -m tests.processors [pytest arguments]`.

One run per set of vector instructions that this processor has, each with one and with two threads. pytest's own output
goes to stderr, a Markdown table to stdout. `--instructions NAME` and `--threads N`, each repeatable, take a part of the
matrix. Exit code 0: all passed, 1: a test failed or a run ended before its report, 2: the arguments cannot be used.
"""

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TextIO
from xml.etree import ElementTree

from lib.workflow.surroundings import ONE_THREAD

INSTRUCTIONS = {
    "default": {"ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE", "OPENBLAS_CORETYPE": "Nehalem"},
    "avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "AVX2", "OPENBLAS_CORETYPE": "Haswell"},
    "avx512": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE", "MKL_CBWR": "AVX512", "OPENBLAS_CORETYPE": "SkylakeX"},
}
"""By PyTorch's name (`ATEN_CPU_CAPABILITY`), from few to many: the same for the libraries that multiply matrices.

MKL takes another vendor's processor for one without AVX-512 and falls back by itself, so its setting is a wish.
"""

THREADS = (1, 2)
STDERR = 2  # as a file descriptor, also where `sys.stderr` was replaced
UNUSABLE = {4: "pytest cannot use its arguments", 5: "pytest found no test"}
"""Exit codes of pytest by which nothing was tested."""


class CannotRun(Exception):
    """This processor lacks what was asked for by name, or pytest has nothing to run."""


@dataclass(frozen=True)
class Setting:
    """How one run of pytest rounds."""

    instructions: str
    threads: int

    def variables(self) -> dict[str, str]:
        return (
            {"ATEN_CPU_CAPABILITY": self.instructions, "OMP_WAIT_POLICY": "PASSIVE"}  # waiting threads leave their core
            | INSTRUCTIONS[self.instructions]
            | dict.fromkeys(ONE_THREAD, str(self.threads))
        )


@dataclass(frozen=True)
class Outcome:
    """Counts of pytest's report; a run that ended without one counts as one failure."""

    passed: int
    failed: int
    skipped: int
    cpu_seconds: float
    note: str = ""

    def cells(self) -> tuple[str, ...]:
        return str(self.passed), str(self.failed), str(self.skipped), f"{self.cpu_seconds:.0f}", self.note


def main(arguments: Sequence[str], out: TextIO = sys.stdout) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.processors", description=__doc__, allow_abbrev=False)
    parser.add_argument("--instructions", action="append", choices=INSTRUCTIONS)
    parser.add_argument("--threads", action="append", type=int, choices=THREADS)
    ours, for_pytest = parser.parse_known_args(arguments)
    try:
        return matrix(ours.instructions, ours.threads or THREADS, for_pytest, out)
    except CannotRun as error:
        print(f"tests.processors: {error}", file=sys.stderr)
        return 2


def matrix(named: Sequence[str] | None, threads: Sequence[int], arguments: Sequence[str], out: TextIO) -> int:
    """The table, row by row; 1 if a test failed. Without names every set is a row, also one that cannot run here."""
    lacking = without(named or (), best_of_this_processor())
    print("| instructions | threads | passed | failed | skipped | CPU seconds | note |", file=out)
    print("|---|---|---|---|---|---|---|", file=out)
    failed = 0
    for name, count in product(named or INSTRUCTIONS, threads):
        if name in lacking:
            cells = ("-", "-", "-", "-", f"not run: {lacking[name]}")
        else:
            outcome = run(Setting(name, count), arguments)
            failed += outcome.failed
            cells = outcome.cells()
        print(f"| {name} | {count} | {' | '.join(cells)} |", file=out, flush=True)
    return 1 if failed else 0


def best_of_this_processor() -> str:
    """The set that PyTorch itself would choose. Raises CannotRun if there is no such set."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        raise CannotRun(f"the matrix is for x86 processors, this one is {platform.machine()}")
    ask = "import torch; print(torch.backends.cpu.get_cpu_capability().lower())"
    plain = {name: value for name, value in os.environ.items() if name != "ATEN_CPU_CAPABILITY"}
    return subprocess.run(
        [sys.executable, "-c", ask], env=plain, capture_output=True, text=True, check=True
    ).stdout.strip()


def without(named: Sequence[str], best: str) -> dict[str, str]:
    """Why each set beyond the processor's best cannot run. Raises CannotRun if one of them is `named`."""
    known = list(INSTRUCTIONS)
    if best not in known:
        raise CannotRun(f"PyTorch calls this processor {best!r}, which none of {', '.join(known)} is")
    lacking = dict.fromkeys(known[known.index(best) + 1 :], f"the processor has {best} at best")
    for name in named:
        if name in lacking:
            raise CannotRun(f"cannot run {name}: {lacking[name]}")
    return lacking


def run(setting: Setting, arguments: Sequence[str]) -> Outcome:
    """pytest once, in a process of its own, because PyTorch reads the variables when it is imported.

    Raises CannotRun if pytest has nothing to run.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [
            sys.executable,
            "-P",
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            f"--junit-xml={report}",
            *arguments,
        ]
        print(f"\n== {setting.instructions}, threads {setting.threads}", file=sys.stderr, flush=True)
        code = subprocess.run(command, env=os.environ | setting.variables(), stdout=STDERR).returncode
        counts = report_of(report)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if code in UNUSABLE:
        raise CannotRun(UNUSABLE[code])
    if code in (0, 1) and counts is not None:
        return Outcome(*counts, seconds)
    return Outcome(0, 1, 0, seconds, f"pytest ended with {code}")


def report_of(path: Path) -> tuple[int, int, int] | None:
    """Passed, failed (errors too) and skipped tests, or None if pytest did not come to write them."""
    if not path.is_file():
        return None
    suites = ElementTree.parse(path).getroot().iter("testsuite")
    tests, failures, errors, skipped = (
        sum(column)
        for column in zip(
            *([int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")] for suite in suites),
            strict=True,
        )
    )
    return tests - failures - errors - skipped, failures + errors, skipped


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
