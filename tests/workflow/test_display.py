"""What the terminal shows while notebooks run, and the closing table."""

import json
import os
import re
import sys

import pytest

from lib.workflow import display, kernel, messages
from lib.workflow.chunk_jobs import Chunk
from lib.workflow.display import Display, Followed, Outcome, summary
from lib.workflow.jobs import UNFINISHED, Failure
from lib.workflow.runs import Run
from tests.workflow.workspace import REAL

ALPHA, BETA = Run("alpha", "quick"), Run("beta", "paper")


@pytest.fixture(autouse=True)
def workspace_root(monkeypatch, tmp_path):
    monkeypatch.setattr("lib.workflow.runs.ROOT", tmp_path)


def progress(run, text):
    run.folder.mkdir(parents=True)
    (run.folder / "progress.json").write_text(text)


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "45")
    return Display()


def test_terminal_line_is_rewritten_and_fits(terminal, capsys):
    progress(ALPHA, json.dumps({"done": 12, "total": 40, "eta_s": 31.4}))
    terminal.running({ALPHA: 8.0})
    terminal.running({ALPHA: 8.2, BETA: 3.0})
    terminal.line("finished  alpha/quick")
    assert capsys.readouterr().out == (
        "\r\x1b[Kalpha/quick 12/40, 31 s left"
        "\r\x1b[Kalpha/quick 12/40, 31 s left | beta/paper 3 "
        "\r\x1b[Kfinished  alpha/quick\n"
    )


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "{}", '{"done": 0, "total": 0, "eta_s": null}'])
def test_progress_that_says_nothing_leaves_the_seconds(terminal, capsys, text):
    progress(ALPHA, text)
    terminal.running({ALPHA: 8.0})
    assert capsys.readouterr().out == "\r\x1b[Kalpha/quick 8 s"


def test_unknown_remaining_time(terminal, capsys):
    progress(ALPHA, json.dumps({"done": 0, "total": 40, "eta_s": None}))
    terminal.running({ALPHA: 8.0})
    assert capsys.readouterr().out == "\r\x1b[Kalpha/quick 0/40"


def test_a_log_gets_plain_lines_now_and_then(monkeypatch, capsys):
    clock = [100.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: clock[0])
    screen = Display()
    for clock[0] in (101.0, 129.0, 131.0, 132.0, 162.0):
        screen.running({ALPHA: clock[0] - 100})
    screen.line("finished  alpha/quick")
    assert capsys.readouterr().out.splitlines() == [
        "running   alpha/quick 31 s",
        "running   alpha/quick 62 s",
        "finished  alpha/quick",
    ]


def test_summary_names_failing_cell_error_and_folder():
    failure = Failure("cell_error", "ValueError: odd", 4, "x = 1")
    outcomes = [
        Outcome(ALPHA, "up to date", 2.04),
        Outcome(BETA, "FAILED", 61.0, failure),
        Outcome(Run("gamma", "quick"), "NOT RUN", None, Failure("not_started", "no such profile")),
    ]
    assert summary(outcomes).splitlines() == [
        "",
        "run          state       seconds  results",
        "alpha/quick  up to date      2.0  results/alpha/quick",
        "beta/paper   FAILED         61.0  results/beta/paper",
        "  cell_error: cell [4] `x = 1`: ValueError: odd",
        "  next: see results/beta/paper/executed.ipynb and log.txt; mend the cause, then start again",
        "gamma/quick  NOT RUN              results/gamma/quick",
        "  not_started: no such profile",
        "  next: see .reprise/snakemake.log",
    ]


@pytest.mark.parametrize("state", messages.BY_STATE)
def test_every_end_of_a_run_says_what_to_do_next(state):
    """Naming files that are there, or a command."""
    text = summary([Outcome(ALPHA, "FAILED", 1.0, Failure(state, "what happened"))])
    (line,) = [line for line in text.splitlines() if line.startswith("  next: ")]
    assert len(line) > 30
    assert "{" not in line


@pytest.mark.parametrize(
    ("message", "todo"),
    [
        ("OSError: [Errno 28] No space left on device: 'results/alpha/quick/x'", "free some space"),
        ("the kernel was killed by SIGKILL (out of memory?)", "use fewer --cores"),
        ("ZMQError: Too many open files", "ulimit -n"),
        ("RuntimeError: can't start new thread", "ulimit -u"),
        ("PermissionError: [Errno 13] Permission denied: 'x'", "read and write it"),
    ],
)
def test_a_limit_of_the_machine_is_what_to_change(message, todo):
    step = messages.next_step("cell_error", message, "alpha", "alpha/quick")
    assert todo in step
    assert step.endswith("then start again: what is finished is kept")


def test_what_the_input_says_is_not_taken_for_a_limit():
    assert messages.next_step("input_error", "Permission denied", "a", "a/q") == messages.BY_STATE["input_error"]


def test_what_to_do_is_known_of_every_state_that_is_given():
    code = "".join(path.read_text() for path in (REAL / "lib/workflow").glob("*.py"))
    given = {UNFINISHED, *re.findall(r'(?:Failure|_failed)\(\s*"(\w+)"', code), *kernel.STATES.values()}
    assert given == set(messages.BY_STATE)


def test_a_job_is_followed_by_its_files_also_when_a_cluster_sends_it_again():
    chunk = Chunk(ALPHA, 1, 2)
    followed = Followed(ALPHA, [chunk])
    assert followed.look() == []
    assert followed.outcome("no such profile").failure == Failure("not_started", "no such profile")
    chunk.begin()
    chunk.fail(Failure("crashed", "no GPU"))
    assert followed.look() == ["FAILED    alpha/quick, chunk 1 of 2: crashed: no GPU"]
    assert followed.outcome("").failure == Failure("chunk_failed", "chunk 1 of 2: crashed: no GPU")
    chunk.begin()
    assert followed.look() == ["started   alpha/quick, chunk 1 of 2"]
    chunk.succeed("inputs", {"trained": 2, "members": 3})
    assert followed.look() == ["finished  alpha/quick, chunk 1 of 2 (2 of 3 trained)"]
    ALPHA.begin()
    assert followed.look() == ["started   alpha/quick"]
    assert (followed.whole.is_running, followed.outcome("", "disk full").failure.message) == (True, "disk full")
    ALPHA.fail(Failure("cell_error", "ValueError: odd", 4, "x = 1"))
    assert followed.look() == ["FAILED    alpha/quick: cell_error: cell [4] `x = 1`: ValueError: odd"]
    assert (followed.whole.is_running, followed.outcome("").state) == (False, "FAILED")
    ALPHA.begin()
    ALPHA.succeed({}, {"seconds": 3.2})
    assert followed.look() == ["finished  alpha/quick (3 s)"]
    os.utime(ALPHA.done, (1, 1))
    assert followed.look() == []
    assert (followed.outcome("").state, followed.outcome("").seconds) == ("ran", 3.2)
