"""The verb `test`: code style, tests, and the notebooks against their stored outputs."""

import os
import subprocess
from collections.abc import Sequence

from lib.workflow.engine import available_cores
from lib.workflow.runs import ROOT
from lib.workflow.surroundings import python_command

# Cells of one notebook share a kernel, so one worker must run them all; a dead kernel is noticed by the time limit.
WORKERS = max(2, min(8, available_cores()))
PYTEST = (f"--numprocesses={WORKERS}", "--dist=loadscope", "--no-loadscope-reorder")
NOTEBOOKS = ("--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=600")
STYLE = (("check",), ("format", "--check"))


def check(arguments: Sequence[str]) -> int:
    """All checks, or pytest alone with `arguments` if there are any. The exit code of the first that fails."""
    if arguments:
        return _run("pytest", *arguments)
    for step in STYLE:
        if failed := _run("ruff", *step):
            return failed
    if failed := _run("pytest", *PYTEST, "tests"):
        return failed
    # After the tests, whose run from nothing leaves its trainings here (tests/results): nothing is trained twice.
    return _run("pytest", *PYTEST, *NOTEBOOKS, "notebooks")


def _run(module: str, *arguments: str) -> int:
    # The tests start Pythons of their own.
    variables = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(python_command(module, *arguments), cwd=ROOT, env=variables).returncode
