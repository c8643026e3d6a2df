"""The verb `test`: which steps are taken, in which order, and what ends them."""

import os
import shutil
import subprocess
import sys

import pytest

from lib.workflow import checks
from lib.workflow.checks import FAST, SLOW, STYLE
from lib.workflow.usage import parse
from tests.workflow.workspace import REAL

(LAYERS,) = STYLE[-1]


@pytest.fixture
def steps(monkeypatch) -> list[tuple[str, ...]]:
    """What is started instead of being run; a step with "fails" in it fails."""
    started = []

    def run(command, **_):
        started.append(
            tuple(command[next(at for at, word in enumerate(command) if word in ("ruff", "pytest", LAYERS)) :])
        )
        return subprocess.CompletedProcess(command, 5 if "fails" in command else 0)

    monkeypatch.setattr(checks.subprocess, "run", run)
    return started


@pytest.mark.parametrize(("options", "expected"), [([], [*STYLE, FAST]), (["--all"], [*STYLE, FAST, SLOW])])
def test_all_adds_the_slow_tests_and_runs_none_twice(steps, options, expected):
    assert checks.test(parse(["test", *options])) == 0
    assert steps == expected
    assert (FAST[FAST.index("-m") + 1], SLOW[SLOW.index("-m") + 1]) == ("not slow", "slow")


def test_arguments_go_to_pytest_alone(steps):
    assert checks.test(parse(["test", "--", "tests/data", "-k", "x"])) == 0
    assert steps == [(*checks.PYTEST, "tests/data", "-k", "x")]


def test_the_first_failure_ends_it_with_its_exit_code(steps, monkeypatch):
    monkeypatch.setattr(checks, "FAST", ("pytest", "fails"))
    assert checks.test(parse(["test", "--all"])) == 5
    assert steps == [*STYLE, ("pytest", "fails")]


@pytest.mark.parametrize(
    ("module", "line", "told"),
    [
        ("lib/metrics/scores.py", "from lib import files", 0),
        ("lib/metrics/scores.py", "from lib.training import loop", "lib.metrics is not allowed to import lib.training"),
        ("lib/models/absence.py", "from lib import files", "lib.models is not allowed to import lib.files"),
        ("lib/workflow/runs.py", "import lib.models", "lib.workflow is not allowed to import lib.models"),
    ],
)
def test_an_arrow_between_the_layers_that_goes_up_is_told(tmp_path, module, line, told):
    shutil.copytree(REAL / "lib", tmp_path / "lib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REAL / "pyproject.toml", tmp_path)
    with (tmp_path / module).open("a") as file:
        file.write(f"\n{line}\n")
    command = [sys.executable, "-P", "-m", LAYERS]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (int(bool(told)), "")
    assert not told or told in done.stdout
