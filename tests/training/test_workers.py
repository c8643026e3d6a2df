"""Workers: forked from a prepared process, one thread each, told of when lost, gone with their owner."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from lib.training import workers
from lib.training.workers import WorkerLost, spread

ROOT = Path(__file__).resolve().parents[2]


def about(item: int) -> dict:
    """What a worker says of itself."""
    return {
        "item": item,
        "pid": os.getpid(),
        "parent": os.getppid(),
        "threads": {name: os.environ.get(name) for name in workers.ONE_THREAD},
        "torch": torch.get_num_threads(),
        "loaded": sorted(sys.modules),
        "cuda": torch.cuda.is_initialized() or torch.cuda._is_in_bad_fork(),
    }


def test_every_item_is_answered_once_by_other_processes_with_one_thread():
    found = list(spread(about, range(7), 2))
    assert sorted(answer["item"] for answer in found) == list(range(7))
    pids = {answer["pid"] for answer in found}
    assert os.getpid() not in pids and 1 <= len(pids) <= 2
    assert {one for answer in found for one in answer["threads"].values()} == {"1"}
    assert {answer["torch"] for answer in found} == {1}


def test_one_worker_or_one_item_is_this_process():
    assert {answer["pid"] for answer in spread(about, range(3), 1)} == {os.getpid()}
    assert [answer["pid"] for answer in spread(about, [0], 2)] == [os.getpid()]


def test_workers_are_forks_of_one_prepared_process_that_has_not_touched_a_gpu():
    first, second = (list(spread(about, range(2), 2)) for _ in range(2))
    assert len({answer["parent"] for answer in first + second}) == 1
    assert set(workers.PREPARED) <= set(first[0]["loaded"])
    assert not any(answer["cuda"] for answer in first + second)


def test_large_arrays_are_shared_and_small_ones_sent():
    large, small = np.arange(workers.LARGE, dtype=np.float64).reshape(-1, 8), np.arange(5)
    strided = large[::2]

    def work(item: int) -> tuple[float, float, float]:
        large[0, 0] = item  # of its own copy
        return float(large.sum() - item), float(small.sum()), float(strided[1:].sum())

    expected = float(large.sum()), float(small.sum()), float(strided[1:].sum())
    for answer in spread(work, [5, 6, 7], 2):
        assert answer == expected
    assert large[0, 0] == 0
    file, message = workers._pickled(work)
    with file:
        assert file.seek(0, os.SEEK_END) >= large.nbytes
        assert len(message) < large.nbytes / 2 + 2**16, "only what is not in one piece is sent"


@pytest.mark.parametrize("roomy", [True, False])
def test_the_file_with_the_arrays_leaves_nothing_behind(monkeypatch, tmp_path, roomy):
    memory, disk = tmp_path / "memory", tmp_path / "disk"
    disk.mkdir()
    if roomy:
        memory.mkdir()
    monkeypatch.setattr(workers, "IN_MEMORY", memory)
    monkeypatch.setattr(workers.tempfile, "tempdir", str(disk))
    array = np.ones(workers.LARGE)
    assert list(spread(lambda item: array[item], [0, 1], 2)) == [1.0, 1.0]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_what_a_job_raises_is_raised_here_with_where_it_happened():
    def fail(item: int) -> None:
        raise KeyError(f"item {item}")

    with pytest.raises(KeyError, match="item") as caught:
        list(spread(fail, [1, 2], 2))
    assert "In a worker:" in caught.value.__notes__[0] and "in fail" in caught.value.__notes__[0]


@pytest.mark.parametrize("kind", [EOFError, ConnectionResetError])
def test_an_error_of_a_job_is_not_taken_for_a_lost_worker(kind):
    def fail(item: int) -> None:
        raise kind("of the job")

    with pytest.raises(kind, match="of the job"):
        list(spread(fail, [1, 2], 2))


def test_an_error_that_cannot_be_sent_is_told():
    class Awkward(Exception):
        def __init__(self, one, two):
            super().__init__("awkward")

    def fail(item: int) -> None:
        raise Awkward(1, 2)

    with pytest.raises(RuntimeError, match="awkward"):
        list(spread(fail, [1, 2], 2))


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), r"killed by SIGKILL \(out of memory\?\)"),
        (lambda: os._exit(3), "ended with exit code 3"),
    ],
)
def test_a_worker_that_is_lost_is_told_and_the_next_call_works(end, words):
    with pytest.raises(WorkerLost, match=words):
        list(spread(lambda item: end() if item == 1 else item, range(3), 2))
    assert sorted(spread(abs, [-1, -2], 2)) == [1, 2]


def test_a_lost_forker_is_replaced():
    first = next(iter(spread(about, [0, 1], 2)))
    os.kill(first["parent"], signal.SIGKILL)
    os.waitid(os.P_PID, first["parent"], os.WEXITED | os.WNOWAIT)
    assert {answer["parent"] for answer in spread(about, [0, 1], 2)} != {first["parent"]}


def test_who_stops_listening_has_no_workers_left():
    answers = spread(lambda item: (os.getpid(), time.sleep(60 * item))[0], [0, 1, 1], 2)
    next(answers)
    # Other tests of this process may have had joblib's.
    started = [child for child in multiprocessing.active_children() if type(child).__name__ == "ForkServerProcess"]
    assert len(started) == 2 and all(psutil.pid_exists(process.pid) for process in started)
    answers.close()
    assert not any(psutil.pid_exists(process.pid) for process in started)


ORPHAN = """
import os, sys, time
from multiprocessing import util
sys.path.insert(0, sys.argv[1])
from lib.training.workers import spread
def work(item):
    print(os.getpid(), os.getppid(), util.get_temp_dir(), flush=True)
    time.sleep(600)
list(spread(work, [1, 2], 2))
"""


def test_workers_and_forker_end_with_an_owner_that_was_killed():
    """The owner is a program without a file and without a guard around its main part."""
    with subprocess.Popen([sys.executable, "-c", ORPHAN, str(ROOT)], stdout=subprocess.PIPE, text=True) as owner:
        told = [owner.stdout.readline().split() for _ in range(2)]
        started = [psutil.Process(pid) for pid in {int(pid) for *pids, _ in told for pid in pids}]
        folder = Path(told[0][-1])
        assert len(started) == 3 and folder.is_dir()
        owner.kill()
    _, alive = psutil.wait_procs(started, timeout=20)
    assert not alive
    assert not folder.exists()


PROGRAM = """
import os, signal, sys, tempfile, time
from multiprocessing import util
print("program", flush=True)
sys.path.insert(0, sys.argv[1])
from lib.training.workers import ONE_THREAD, prepare, spread
interrupts = []
signal.signal(signal.SIGINT, lambda number, frame: interrupts.append(number))
prepare()
time.sleep(0.3)
os.killpg(0, signal.SIGINT)
def work(item):
    time.sleep(0.2)
    os.killpg(0, signal.SIGINT)
    return item
print(sum(spread(work, [1, 2, 3], 2)), len(interrupts) > 1)
print([os.environ.get(name) for name in ONE_THREAD], len(tempfile.gettempdir()), os.path.isdir(util.get_temp_dir()))
print(util.get_temp_dir())
"""


def test_a_program_without_a_guard_its_interrupts_and_its_surroundings(tmp_path):
    """Workers do not execute it again and leave interrupts to it, from the first moment on; what its children inherit
    is its own again; a folder for temporary files may have a name too long for a socket.
    """
    (program := tmp_path / "program.py").write_text(PROGRAM)
    (long := tmp_path / ("x" * 120)).mkdir()
    variables = {name: value for name, value in os.environ.items() if name not in workers.ONE_THREAD}
    ended = subprocess.run(
        [sys.executable, "-I", str(program), str(ROOT)],
        capture_output=True,
        text=True,
        env=variables | {"TMPDIR": str(long), "OMP_NUM_THREADS": "3"},
        start_new_session=True,
    )
    *told, folder = ended.stdout.splitlines()
    assert (told, ended.stderr, ended.returncode) == (
        ["program", "6 True", f"['3', None, None] {len(str(long))} True"],
        "",
        0,
    )
    assert not Path(folder).exists() and not list(long.glob("reprise-*"))


FORKED = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
if "threads" in sys.argv:
    from threading import Thread
    Thread(target=time.sleep, args=(30,), daemon=True).start()
import torch
from lib.training import workers
from multiprocessing import forkserver
workers.prepare(further=("colorsys",), fork=True)
def about(item):
    time.sleep(0.1)
    return os.getppid(), "colorsys" in sys.modules, "torch._dynamo" in sys.modules
print({forkserver._forkserver._forkserver_pid} == {parent for parent, *_ in workers.spread(about, [1, 2], 2)})
with open(f"/proc/{forkserver._forkserver._forkserver_pid}/cmdline") as file:
    print(" ".join(("from multiprocessing.forkserver", "import main")) in file.read())
print([loaded for _, *loaded in workers.spread(about, [1, 2], 2)])
started = time.perf_counter()
list(workers.spread(abs, [1, 2], 2))
print(time.perf_counter() - started < 10, workers.ready())
workers.beside(lambda: None)()
def fail(): raise LookupError("told")
try:
    workers.beside(fail)()
except LookupError as error:
    print(error)
try:
    workers.beside(lambda: os._exit(3))()
except workers.WorkerLost as error:
    print(error)
print(forkserver._forkserver._forkserver_pid, flush=True)
if "killed" in sys.argv:
    os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a process is forked on Linux only")
@pytest.mark.parametrize("how", ["", "killed", "threads", "many"])
def test_the_server_is_a_fork_of_a_process_that_has_one_thread_and_goes_with_it(how):
    threads = dict.fromkeys(workers.ONE_THREAD, "2" if how == "many" else "1")
    ended = subprocess.run(
        [sys.executable, "-I", "-c", FORKED, str(ROOT), how],
        capture_output=True,
        text=True,
        env=os.environ | threads,
        timeout=120,
    )
    *told, pid = ended.stdout.splitlines()
    assert told == [
        "True",
        str(how in ("threads", "many")),  # a new Python names the server in its command, a fork has that of its parent
        "[[True, True], [True, True]]",
        "True True",
        "told",
        "a worker ended with exit code 3",
    ]
    assert (ended.stderr, ended.returncode) == ("", -signal.SIGKILL if how == "killed" else 0)
    with suppress(psutil.NoSuchProcess):
        psutil.Process(int(pid)).wait(timeout=20)


FRESH = """
import sys
{code}
print(*sys.modules)
"""
HEAVY = ("scipy.signal", "sklearn", "pandas", "cv2", "matplotlib", "joblib", "lib.data.recordings")


@pytest.mark.parametrize(
    "code",
    [
        "import lib.training.sweep",
        "from lib.training import workers; [__import__(name, fromlist=['x']) for name in workers.PREPARED]",
        "import lib.reporting.disturbed",
    ],
)
def test_importing_what_trains_loads_nothing_that_training_does_not_need(code):
    found = subprocess.run(
        [sys.executable, "-P", "-c", FRESH.format(code=code)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ).stdout.split()
    assert "torch" in found
    assert not [name for name in found if any(name == heavy or name.startswith(f"{heavy}.") for heavy in HEAVY)]
