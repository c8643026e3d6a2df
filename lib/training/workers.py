"""Jobs side by side in worker processes that the standard library's fork server starts.

Importing torch takes a process more than a second. The fork server does it once; a worker is a fork of it and starts
in hundredths of one. The server has a single thread, opens no GPU and trains nothing, so nothing that a fork breaks is
ever in it; the process that asks (a kernel with its threads, a test) is never forked, but for one that has loaded torch
and nothing else and says so: it may become two, the other of which is the server (`prepare`). What the jobs share, such
as a corpus, is written once to a file without a name, which the workers map.

The processes are asked through a pipe each and not through `concurrent.futures`: its pool keeps named semaphores, which
stay behind when a whole process group is killed, and it can neither stop a busy worker nor tell how one ended.
"""

import gc
import mmap
import multiprocessing
import os
import pickle
import shutil
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import accumulate
from multiprocessing import forkserver, resource_tracker, util
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from multiprocessing.reduction import recv_handle, send_handle
from pathlib import Path
from types import ModuleType
from typing import BinaryIO, TypeVar

import cloudpickle

T, R = TypeVar("T"), TypeVar("R")

PREPARED = ("torch", "torch._dynamo", "lib.training.execution", "lib.models.recurrent")
"""What every worker needs. The second is what the first optimiser of a process imports, almost a second; an isolated
Python, unless forked, does not find the last two, a tenth of a second, before it is a worker."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
ALIGNED = 64
LARGE = 2**20
"""Arrays of at least so many bytes go to the file; smaller ones are sent to each worker."""
IN_MEMORY = Path("/dev/shm")
"""Where the file lies if that has twice the room that it takes; else where temporary files do."""
CONTEXT = multiprocessing.get_context("forkserver")


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
    prepare()
    team: dict[Connection, ForkServerProcess] = {}
    file, first = _pickled(work)
    with file:
        try:
            for _ in range(min(workers, len(items))):
                ours, theirs = CONTEXT.Pipe()
                with theirs:
                    team[ours] = _started(theirs)
            yield from _answers(team, file, first, items)
        finally:
            for process in team.values():
                process.kill()
            for connection, process in team.items():
                connection.close()
                process.join()


def prepare(sockets: str | None = None, *, further: Sequence[str] = (), fork: bool = False) -> None:
    """Start the fork server unless it runs; it gets ready beside what this process does meanwhile.

    In the folder `sockets` it makes one for its socket, which goes with this process. The path has to be short: /tmp,
    unless told otherwise. `further` are modules that some of the workers need beside `PREPARED`. `fork`: this process
    has loaded torch, so that the server need not, and has done nothing else yet (see `_can_fork`).
    """
    CONTEXT.set_forkserver_preload([*PREPARED, *further])
    resource_tracker.ensure_running()  # Else the server's start does it, and lets interrupts in again.
    before, threads = tempfile.tempdir, {name: os.environ[name] for name in ONE_THREAD if name in os.environ}
    # An interrupt from the keyboard reaches the whole group; this process decides what it means. Children inherit it.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    spawn = util.spawnv_passfds
    try:
        tempfile.tempdir = sockets or ("/tmp" if os.access("/tmp", os.W_OK | os.X_OK) else tempfile.tempdir)
        if fork and _can_fork(threads):
            util.spawnv_passfds = _forked
        os.environ.update(ONE_THREAD)
        forkserver.ensure_running()
    finally:
        util.spawnv_passfds = spawn
        tempfile.tempdir = before
        for name in ONE_THREAD:
            del os.environ[name]
        os.environ.update(threads)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def ready() -> bool:
    """Whether this process has a fork server, so that a worker costs next to nothing."""
    return forkserver._forkserver._forkserver_pid is not None


def _can_fork(threads: Mapping[str, str]) -> bool:
    """Whether a fork of this process is as good as a new one: it has one thread, and what it has loaded counts on one.

    Elsewhere than on Linux, frameworks of the system may not be forked.
    """
    tasks = Path("/proc/self/task")
    return threads == ONE_THREAD and tasks.is_dir() and len(list(tasks.iterdir())) == 1


def _forked(program: bytes, arguments: Sequence[str], passed: Sequence[int]) -> int:
    """In place of `util.spawnv_passfds`: what the new Python would be told to do, a fork of this one does."""
    if child := os.fork():
        return child
    try:
        kept = sorted({0, 1, 2, *passed})
        for low, high in zip(kept, [*kept[1:], os.sysconf("SC_OPEN_MAX")], strict=True):
            os.closerange(low + 1, high)
        # Its lock is held by the call that is under way, and what it knows is that of the process that asked.
        forkserver._forkserver.__init__()
        exec(arguments[-1], {})
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(0)


def beside(work: Callable[[], object]) -> Callable[[], None]:
    """Start `work` in a process of its own; the function that is returned waits for its end.

    That one raises what `work` has raised, and WorkerLost.
    """
    prepare()
    ours, theirs = CONTEXT.Pipe()
    with theirs:
        process = _started(theirs)
    file, first = _pickled(lambda _: work())
    with file, _told_if_lost(process):
        send_handle(ours, file.fileno(), process.pid)
        ours.send_bytes(first)
        ours.send_bytes(cloudpickle.dumps(()))

    def end() -> None:
        try:
            with _told_if_lost(process):
                succeeded, answer = pickle.loads(ours.recv_bytes())
        finally:
            process.kill()
            ours.close()
            process.join()
        if not succeeded:
            raise answer

    return end


def _started(theirs: Connection) -> ForkServerProcess:
    """A new worker that waits for messages. Raises WorkerLost."""
    process = CONTEXT.Process(target=_work, args=(theirs,), daemon=True)
    # A worker would execute the owner's program, to find functions that cloudpickle sends anyway.
    main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    try:
        process.start()
    except (EOFError, ConnectionError):
        raise WorkerLost("the process that starts workers was lost") from None
    finally:
        sys.modules["__main__"] = main
    return process


def _answers(team: dict[Connection, ForkServerProcess], file: BinaryIO, first: bytes, items: Sequence[T]) -> Iterator:
    todo = map(cloudpickle.dumps, items)
    busy = set(team)
    for connection, process in team.items():
        with _told_if_lost(process):
            send_handle(connection, file.fileno(), process.pid)
            connection.send_bytes(first)
            connection.send_bytes(next(todo))
    while busy:
        for connection in wait(busy):
            with _told_if_lost(team[connection]):
                told = connection.recv_bytes()
            succeeded, answer = pickle.loads(told)
            if not succeeded:
                raise answer
            if item := next(todo, None):
                with _told_if_lost(team[connection]):
                    connection.send_bytes(item)
            else:
                busy.remove(connection)
            yield answer


@contextmanager
def _told_if_lost(process: ForkServerProcess) -> Iterator[None]:
    try:
        yield
    except (EOFError, ConnectionError):
        process.join()
        code = process.exitcode
        out_of_memory = " (out of memory?)" if code == -signal.SIGKILL else ""
        ended = f"ended with exit code {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"
        raise WorkerLost(f"a worker {ended}{out_of_memory}") from None


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


def _work(owner: Connection) -> None:
    """The life of a worker."""
    gc.freeze()
    threading.Thread(target=_end_with_owner, daemon=True).start()
    with suppress(EOFError, ConnectionError):
        file = recv_handle(owner)
        work = _unpickled(owner.recv_bytes(), file)
        while True:
            owner.send_bytes(_answer(work, owner.recv_bytes()))


def _end_with_owner() -> None:
    """Also amid a job; with the folder of the server's socket, which an owner that was killed could not remove."""
    multiprocessing.parent_process().join()
    shutil.rmtree(util.get_temp_dir(), ignore_errors=True)
    os._exit(0)


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
