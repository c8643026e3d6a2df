"""Locks that die with their holder, process groups that die with their keeper, signals as exceptions (POSIX), and a GPU
for each process.
"""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from lib.workflow.runs import ROOT

LOOK_AGAIN_S = 0.5


class Busy(Exception):
    """Another process holds the lock; `holder` is its process id as it wrote it down."""

    def __init__(self, holder: str):
        super().__init__(f"process {holder}")
        self.holder = holder


class Stopped(SystemExit):
    """A signal asked this process to end. A SystemExit, because asyncio lets only that and KeyboardInterrupt out."""

    def __init__(self, number: int):
        super().__init__(128 + number)
        self.signal = signal.Signals(number)


def stop_on_signals() -> None:
    """Turn the signals that ask a process to end into `Stopped`, raised in the main thread."""

    def raise_stopped(number: int, frame: object) -> NoReturn:
        raise Stopped(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, raise_stopped)
    # Under nohup it is ignored and must stay so.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, raise_stopped)


@contextmanager
def locked(path: Path, on_wait: Callable[[Busy], None] | None = None) -> Iterator[None]:
    """Hold an exclusive lock on `path` during the block. The system releases it when this process ends, also by
    SIGKILL, so no lock is ever left over.

    If another process holds it: with `on_wait`, call that and wait; without, raise Busy.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            busy = Busy(handle.read().strip() or "unknown")
            if on_wait is None:
                raise busy from None
            on_wait(busy)
            fcntl.flock(handle, fcntl.LOCK_EX)
        handle.truncate(0)
        try:
            handle.write(str(os.getpid()))
            handle.flush()
        except OSError as error:
            error.filename = str(path)
            raise
        yield


def end_with_us(group: int) -> subprocess.Popen:
    """Start a watcher that kills the process group `group` when this process ends, however it ends.

    The watcher reads from a pipe whose only writer is this process: SIGKILL, too, closes it. It has a session of its
    own, so that nobody kills it together with us.
    """
    script = 'read -r _ || kill -s KILL -- "-$1"'
    return subprocess.Popen(
        ["/bin/sh", "-c", script, "watcher", str(group)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def dismiss(watcher: subprocess.Popen) -> None:
    """End a watcher without its doing anything."""
    watcher.kill()
    watcher.communicate()


def signal_group(group: int, number: int) -> None:
    """Send a signal to a process group, which may be gone already."""
    with suppress(ProcessLookupError, PermissionError):  # macOS refuses for a group of zombies
        os.killpg(group, number)


def stop(child: subprocess.Popen, patience: float) -> None:
    """End a child that leads a process group: SIGINT, SIGTERM, SIGKILL, each after `patience` seconds in vain."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal_group(child.pid, number)
        with suppress(subprocess.TimeoutExpired):
            child.wait(patience)
            break
    # Whatever the child left behind in its group goes too.
    signal_group(child.pid, signal.SIGKILL)
    child.wait()


@contextmanager
def one_device(devices: str) -> Iterator[None]:
    """Hold a free one of `devices` ("0,1,2") during the block, as the only GPU that CUDA sees; all, if none is named.

    Waits while all are taken. To be called before CUDA is. The device is free again when this process ends, however it
    ends.
    """
    names = [name for name in devices.split(",") if name]
    if not names:
        yield
        return
    with ExitStack() as held:
        os.environ["CUDA_VISIBLE_DEVICES"] = _take(names, held)
        yield


def _take(names: list[str], held: ExitStack) -> str:
    while True:
        for name in names:
            try:
                held.enter_context(locked(ROOT / ".reprise" / "devices" / f"{name}.lock"))
            except Busy:
                continue
            return name
        time.sleep(LOOK_AGAIN_S)
