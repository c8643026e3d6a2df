"""Locks and process groups outlive nobody."""

import os
import signal
import subprocess
import sys

import pytest

from lib.workflow.process import Busy, Stopped, locked, stop, stop_on_signals
from tests.workflow.workspace import REAL, is_alive, wait_until

HOLD = """
import sys, time
from pathlib import Path
from lib.workflow.process import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_lock_names_its_holder_and_dies_with_it(tmp_path):
    path = tmp_path / "folder" / "lock"
    variables = os.environ | {"PYTHONPATH": str(REAL)}
    holder = subprocess.Popen([sys.executable, "-c", HOLD, path], env=variables, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(Busy, match=f"^process {holder.pid}$"), locked(path):
        pass
    waited_for = []

    def kill_the_holder(busy):
        waited_for.append(busy.holder)
        holder.kill()

    with locked(path, on_wait=kill_the_holder):
        assert waited_for == [str(holder.pid)]
        with pytest.raises(Busy), locked(path):
            pass
    with locked(path):
        pass
    holder.communicate()


def test_stop_ends_a_group_that_will_not_listen():
    script = "trap '' INT TERM; sleep 600 & echo $!; wait"
    child = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True)
    grandchild = int(child.stdout.readline())
    stop(child, patience=0.2)
    assert child.returncode == -signal.SIGKILL
    wait_until(lambda: not is_alive(grandchild), "the grandchild is gone", timeout=5)
    child.stdout.close()


@pytest.fixture
def handlers():
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_DFL) for number in numbers]  # under nohup SIGHUP is ignored
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def test_signals_become_exceptions_with_the_shells_exit_code(handlers):
    stop_on_signals()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with pytest.raises(Stopped) as stopped:
            signal.raise_signal(number)
        assert (stopped.value.code, stopped.value.signal) == (128 + number, number)


def test_nohup_is_respected(handlers):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop_on_signals()
    signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
