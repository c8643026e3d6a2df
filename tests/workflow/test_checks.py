"""The verb `test`: which steps are taken, in which order, and what ends them."""

import subprocess

import pytest

from lib.workflow import checks
from lib.workflow.checks import FAST, SLOW, STYLE, check
from lib.workflow.usage import parse


@pytest.fixture
def steps(monkeypatch) -> list[tuple[str, ...]]:
    """What is started instead of being run; a step with "fails" in it fails."""
    started = []

    def run(command, **_):
        started.append(tuple(command[next(at for at, word in enumerate(command) if word in ("ruff", "pytest")) :]))
        return subprocess.CompletedProcess(command, 5 if "fails" in command else 0)

    monkeypatch.setattr(checks.subprocess, "run", run)
    return started


@pytest.mark.parametrize(("options", "expected"), [([], [*STYLE, FAST]), (["--all"], [*STYLE, FAST, SLOW])])
def test_all_adds_the_slow_tests_and_runs_none_twice(steps, options, expected):
    request = parse(["test", *options])
    assert check(request.rest, slow=request.slow) == 0
    assert steps == expected
    assert (FAST[FAST.index("-m") + 1], SLOW[SLOW.index("-m") + 1]) == ("not slow", "slow")


def test_arguments_go_to_pytest_alone(steps):
    assert check(parse(["test", "--", "tests/data", "-k", "x"]).rest, slow=False) == 0
    assert steps == [(*checks.PYTEST, "tests/data", "-k", "x")]


def test_the_first_failure_ends_it_with_its_exit_code(steps, monkeypatch):
    monkeypatch.setattr(checks, "FAST", ("pytest", "fails"))
    assert check((), slow=True) == 5
    assert steps == [*STYLE, ("pytest", "fails")]
