"""The verb `test`: code style and layers, tests, and the notebooks against their stored outputs."""

import argparse
import os
import subprocess

from lib.workflow.runs import ROOT
from lib.workflow.scheduler import available_cores
from lib.workflow.surroundings import python_command

WORKERS = max(2, min(8, available_cores()))
# Cells of one notebook share a kernel, so one worker must run them all; a dead kernel is noticed by the time limit.
SCOPES = ("--dist=loadscope", "--no-loadscope-reorder")
NBVAL = ("--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=600")
STYLE = (("ruff", "check"), ("ruff", "format", "--check"), ("lib.workflow.layers",))
# Settings for pytest that lie above the checkout are for other projects.
PYTEST = ("pytest", "-c", "pyproject.toml")
# One pytest for tests and notebooks, so that no worker waits while the other ends its part.
FAST = (*PYTEST, f"--numprocesses={WORKERS}", *SCOPES, *NBVAL, "--durations=20", "-m", "not slow", "tests", "notebooks")
# The slow tests wait for Slurm, for processes that were killed and for servers, so one worker more.
SLOW = (*PYTEST, f"--numprocesses={WORKERS + 1}", *SCOPES, "--durations=20", "-m", "slow", "tests")


def test(given: argparse.Namespace) -> int:
    """All checks, the slow ones only with `given.slow`; or pytest alone with the arguments `given.rest`.

    Returns the exit code of the first that fails.
    """
    steps = [(*PYTEST, *given.rest)] if given.rest else [*STYLE, FAST, *([SLOW] if given.slow else [])]
    for step in steps:
        if failed := _run(*step):
            return failed
    return 0


def _run(module: str, *arguments: str) -> int:
    # The tests start Pythons of their own.
    variables = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(python_command(module, *arguments), cwd=ROOT, env=variables).returncode
