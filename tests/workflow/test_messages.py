"""Standard streams that are closed, full, or read by somebody who soon has enough."""

import subprocess
import sys

import pytest

from tests.workflow.machines import run_all, shell
from tests.workflow.workspace import REAL

RUN = "alpha/quick"
FULL = "run_all.sh: standard output: No space left on device; free some space\n"


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams_do_not_matter(small, closed):
    ended = shell(small, f'"$run" --dry-run {closed}')
    assert (ended.code, ended.err) == (0, "")
    refused = shell(small, f'"$run" frobnicate {closed}')
    assert refused.code == 2
    assert refused.err == "" if "2>" in closed else refused.err.startswith("run_all.sh: unknown verb")


def test_a_run_whose_output_is_closed(small):
    ended = shell(small, '"$run" >&- 2>&- <&-')
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert small.record(RUN)["state"] == "success"


@pytest.mark.parametrize("arguments", ["--help", "--dry-run", "--cores 1"])
def test_full_output_is_told_in_one_line(small, arguments):
    ended = shell(small, f'"$run" {arguments} >/dev/full')
    assert (ended.code, ended.err) == (1, FULL)
    assert not small.path(RUN, "status.json").exists()


def test_full_error_output_changes_no_exit_code(small):
    assert shell(small, '"$run" frobnicate 2>/dev/full').code == 2


def test_who_reads_no_further_has_seen_enough_of_a_list(small):
    """Silence; and the exit code is not that of a failure."""
    for verb in ("--help", "--dry-run"):
        ended = shell(small, f'"$run" {verb} | true; exit "${{PIPESTATUS[0]}}"')
        assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_who_reads_no_further_stops_a_run(small):
    """Which is silent, too, and says by its exit code that what was asked for is not there."""
    ended = shell(small, '"$run" | true; exit "${PIPESTATUS[0]}"')
    assert (ended.code, ended.out, ended.err) == (1, "", "")
    assert not small.path(RUN, "status.json").exists()


def test_no_escape_sequences_without_a_terminal_that_knows_them(small, monkeypatch):
    from lib.workflow import messages

    class Terminal:
        def isatty(self):
            return True

    for term, knows in (("xterm", True), ("dumb", False), (None, False)):
        monkeypatch.delenv("TERM", raising=False)
        if term:
            monkeypatch.setenv("TERM", term)
        assert messages.is_terminal(Terminal()) is knows
    assert "\x1b" not in run_all(small, "--dry-run").out


@pytest.mark.parametrize("lines", [1, 100_000])
def test_full_output_is_named_however_much_was_printed(lines):
    """Once more than a buffer holds was printed, the error comes from the middle of it."""
    work = f"lambda: print('x\\n' * {lines}) or 0"
    script = f"import sys; from lib.workflow.messages import exit_code; sys.exit(exit_code({work}))"
    with open("/dev/full", "w") as full:  # noqa: PTH123
        ended = subprocess.run([sys.executable, "-c", script], cwd=REAL, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (ended.returncode, ended.stderr) == (1, FULL)
