"""Jobs side by side in worker processes that are forked from one prepared parent.

Importing torch takes a process more than a second. Here one helper process, the forker, does it once; a worker is a
fork of it and starts in hundredths of a second. The forker has a single thread, opens no GPU and trains nothing, so
nothing that a fork breaks is ever in it; the process that asks (a kernel with its threads, a test) is never forked.
What the jobs share, such as a corpus, is written once to a file without a name, which the workers map.
"""

import atexit
import gc
import importlib
import json
import mmap
import os
import pickle
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import BinaryIO, TypeVar

import cloudpickle

T, R = TypeVar("T"), TypeVar("R")

PREPARED = ("lib.training.execution", "lib.models.recurrent", "torch._dynamo")
"""What every worker needs; the last is what the first optimiser of a process imports, almost a second."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
ALIGNED = 64
LARGE = 2**20
"""Arrays of at least so many bytes go to the file; smaller ones are sent to each worker."""
IN_MEMORY = Path("/dev/shm")
"""Where the file lies if that has twice the room that it takes; else where temporary files do."""
_NOTE = struct.Struct("ii")
_STARTED = -1
_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from lib.training.workers import serve; serve()"


class WorkerLost(RuntimeError):
    """A worker ended without an answer: killed, most likely by a system that is out of memory."""


def spread(work: Callable[[T], R], items: Sequence[T], workers: int) -> Iterator[R]:
    """`work` of each item, as the answers come, from this many processes with one thread each.

    One worker, or one item, is this process itself. `work` reaches a worker once, an item with its job. Raises what
    `work` raises, and WorkerLost; then, or if the caller stops listening, the other workers are killed.
    """
    if workers <= 1 or len(items) <= 1:
        yield from map(work, items)
        return
    forker = _forker()
    file, first = _pickled(work)
    with file:
        team: dict[Connection, int] = {}
        try:
            for _ in range(min(workers, len(items))):
                connection, pid = forker.fork(file)
                team[connection] = pid
            yield from _answers(forker, team, first, items)
        finally:
            for connection, pid in team.items():
                connection.close()
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def prepare() -> None:
    """Start the forker, which gets ready beside what this process does meanwhile."""
    _forker()


def _answers(forker: "_Forker", team: dict[Connection, int], first: bytes, items: Sequence[T]) -> Iterator:
    todo = iter(items)
    busy: set[Connection] = set()

    def go_on(connection: Connection, *before: bytes) -> None:
        for item in todo:
            busy.add(connection)
            for message in (*before, cloudpickle.dumps(item)):
                connection.send_bytes(message)
            return

    try:
        for connection in team:
            go_on(connection, first)
        while busy:
            for connection in wait(busy):
                succeeded, answer = pickle.loads(connection.recv_bytes())
                busy.remove(connection)
                if not succeeded:
                    raise answer
                go_on(connection)
                yield answer
    except (EOFError, ConnectionError):
        raise WorkerLost(f"a worker {forker.ending(team[connection])}") from None


def _pickled(work: object) -> tuple[BinaryIO, bytes]:
    """An open file with the large arrays, and the message that a worker makes `work` of."""
    large: list[memoryview] = []

    def stays(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes >= LARGE:
            large.append(raw)
        return raw.nbytes < LARGE

    head = cloudpickle.dumps(work, protocol=5, buffer_callback=stays)
    stops = list(accumulate(raw.nbytes + -raw.nbytes % ALIGNED for raw in large))
    roomy = IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free > 2 * max(stops, default=0)
    folder = IN_MEMORY if roomy and os.access(IN_MEMORY, os.W_OK) else None
    file = tempfile.TemporaryFile(prefix="reprise-", dir=folder)  # noqa: SIM115
    places = []
    for start, raw in zip([0, *stops], large, strict=False):
        file.seek(start)
        file.write(raw)
        places.append((start, raw.nbytes))
    file.flush()
    return file, pickle.dumps((head, places))


def _unpickled(first: bytes, file: int) -> object:
    """Arrays of the file can be written to, and nobody else sees it."""
    head, places = pickle.loads(first)
    view = memoryview(mmap.mmap(file, 0, access=mmap.ACCESS_COPY)) if places else memoryview(b"")
    return pickle.loads(head, buffers=[view[start : start + size] for start, size in places])


class _Forker:
    """The helper process as the process that asks sees it."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        self.owner, self._ended = os.getpid(), {}
        with theirs:
            # Isolated and without writing compiled code, as all Pythons of the workspace are started.
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-B", "-X", "utf8", "-c", _START, json.dumps(sys.path), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                env=os.environ | ONE_THREAD,
                pass_fds=[theirs.fileno()],
            )

    @property
    def usable(self) -> bool:
        return self.owner == os.getpid() and self._process.poll() is None

    def fork(self, file: BinaryIO) -> tuple[Connection, int]:
        """A new worker that waits for messages, and its process id. Raises WorkerLost."""
        ours, theirs = Pipe()
        with theirs:
            try:
                socket.send_fds(self._control, [b"+"], [theirs.fileno(), file.fileno()])
                return ours, self._note(lambda pid, status: status == _STARTED)[0]
            except (EOFError, ConnectionError):
                ours.close()
                raise WorkerLost(f"the process that starts workers {_words(self._process.wait())}") from None

    def ending(self, pid: int) -> str:
        """How a worker ended, in words."""
        try:
            if pid not in self._ended:
                self._note(lambda who, status: who == pid)
        except (EOFError, ConnectionError):
            return "was lost together with the process that started it"
        return _words(self._ended[pid])

    def _note(self, wanted: Callable[[int, int], bool]) -> tuple[int, int]:
        while True:
            data = self._control.recv(_NOTE.size, socket.MSG_WAITALL)
            if len(data) < _NOTE.size:
                raise EOFError
            pid, status = _NOTE.unpack(data)
            if status != _STARTED:
                self._ended[pid] = status
            if wanted(pid, status):
                return pid, status

    def close(self) -> None:
        self._control.close()
        if self.owner == os.getpid():
            self._process.wait()


_running: list[_Forker] = []


def _forker() -> _Forker:
    if not _running or not _running[0].usable:
        for old in _running:
            old.close()
        _running[:] = [_Forker()]
    return _running[0]


@atexit.register
def _close() -> None:
    while _running:
        _running.pop().close()


def _words(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    out_of_memory = " (out of memory?)" if -code == signal.SIGKILL else ""
    return f"was killed by {signal.Signals(-code).name}{out_of_memory}"


def serve() -> None:
    """What the forker runs: forks on demand, tells of each end, and takes its workers along when its owner is gone."""
    # An interrupt from the keyboard reaches the whole group; the owner decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in PREPARED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    control = socket.socket(fileno=int(sys.argv[2]))
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    workers: set[int] = set()
    while True:
        ready = select.select([control, woken], [], [])[0]
        try:
            if woken in ready:
                os.read(woken, 4096)
                _reap(workers, control)
            if control in ready:
                asked, files, _, _ = socket.recv_fds(control, 1, 2)
                if not asked:
                    break
                if (pid := os.fork()) == 0:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    for unused in (control.detach(), woken, wake):
                        os.close(unused)
                    _work(*files)
                workers.add(pid)
                for file in files:
                    os.close(file)
                control.sendall(_NOTE.pack(pid, _STARTED))
        except ConnectionError:
            break
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    os._exit(0)


def _reap(workers: set[int], control: socket.socket) -> None:
    while workers:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        workers.discard(pid)
        control.sendall(_NOTE.pack(pid, os.waitstatus_to_exitcode(status)))


def _work(connection: int, file: int) -> None:
    """The life of a worker; never returns."""
    try:
        with Connection(connection) as owner:
            work = None
            first = owner.recv_bytes()
            while True:
                owner.send_bytes(_answer(work := work or _unpickled(first, file), owner.recv_bytes()))
    except (EOFError, ConnectionError):
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def _answer(work: Callable, item: bytes) -> bytes:
    try:
        return cloudpickle.dumps((True, work(pickle.loads(item))))
    except Exception as error:
        told = traceback.format_exc()
        error.add_note(f"In a worker:\n{told}")
        try:
            answer = cloudpickle.dumps((False, error))
            pickle.loads(answer)
            return answer
        except Exception:
            return cloudpickle.dumps((False, RuntimeError(told)))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
