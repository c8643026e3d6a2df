"""Faults that are really caused. After each, nothing half-written is taken for a result, the next start finishes, and
its tables equal those of a run that nobody disturbed, in every bit."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.campaign import ALONE, VICTIMS, strike
from tests.faults.tiny import NOTEBOOK, RUN, TINY, fingerprint, half_written, records
from tests.workflow.workspace import Finished, Workspace, finish, wait_until

pytestmark = pytest.mark.slow
START = ("--only", RUN, "--cores", "1")
MEMORY_GROUPS = Path("/sys/fs/cgroup/memory")


def recovers(workspace: Workspace, expected: dict[str, str]) -> Finished:
    assert half_written(workspace) == []
    ended = workspace.run_all(*START)
    assert ended.code == 0, ended
    assert fingerprint(workspace) == expected
    return ended


def test_killed_five_times_in_a_row(tiny, expected):
    """Each start is killed further on than the last one; tests/faults/campaign.py does it fifty times."""
    rng = random.Random(5)
    for number in range(5):
        strike(tiny, ALONE, rng.uniform(1, 2) * (number + 1), VICTIMS[number % 3], rng)
        assert half_written(tiny) == []
    recovers(tiny, expected)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


@pytest.mark.parametrize("size", ["48k", "1250k"])
def test_full_disk(tiny, expected, size):
    """Full among the records, and full among the tables."""
    results = tiny.root / "results"
    with small_disk(results, size):
        ended = tiny.run_all(*START)
        assert ended.code == 1
        assert "No space left on device" in ended.out + ended.err + _log(tiny)
        assert not tiny.path(RUN, "status.json").exists()
        remount(results, "size=100m")
        recovers(tiny, expected)


def test_no_file_may_grow(tiny, expected):
    """What a quota does, without a file system of one's own: no file of more than 40 KiB."""
    command = ["/bin/bash", "-c", 'ulimit -f 40 && exec "$@"', "limited", tiny.root / "run_all.sh", *START]
    ended = finish(tiny.popen(command))
    assert ended.code == 1
    assert not tiny.path(RUN, "status.json").exists()
    recovers(tiny, expected)


def test_read_only_results(tiny, expected):
    results = tiny.root / "results"
    with small_disk(results, "100m"):
        remount(results, "ro")
        ended = tiny.run_all(*START)
        assert ended.code == 1
        assert "Read-only file system" in ended.out + ended.err
        remount(results, "rw")
        recovers(tiny, expected)


class Clock:
    """A wall clock for started processes, ahead of the system's by as many seconds as it was last `set` to."""

    def __init__(self, folder: Path):
        compiler, library = shutil.which("cc"), folder / "shifted_clock.so"
        if compiler is None:
            pytest.skip("no C compiler for the library that shifts a process's clock")
        source = Path(__file__).with_name("shifted_clock.c")
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
        self._shift = folder / "shift"
        self._shift.write_bytes(bytes(8))
        self.variables = {"LD_PRELOAD": str(library), "CLOCK_SHIFT_FILE": str(self._shift)}

    def set(self, seconds: int) -> None:
        with self._shift.open("r+b") as file:
            file.write(seconds.to_bytes(8, sys.byteorder, signed=True))


def test_clock_that_jumps(tiny, expected, tmp_path):
    """A day ahead after the first record, then a week back; the disk goes on dating files by a clock of its own."""
    clock, day = Clock(tmp_path), 24 * 60 * 60
    process = tiny.start(*START, **clock.variables)
    for number, days in ((1, 1), (2, -7)):
        wait_until(lambda n=number: len(records(tiny)) >= n, f"{number} records", timeout=180)
        clock.set(days * day)
    ended = finish(process)
    assert (ended.code, ended.state(RUN)) == (0, "ran"), ended
    finished = datetime.fromisoformat(tiny.record(RUN)["finished"])
    assert 6.9 < (datetime.now(UTC) - finished) / timedelta(days=1) < 7.1
    assert fingerprint(tiny) == expected
    assert recovers(tiny, expected).state(RUN) == "up to date"


def test_files_of_another_age(undisturbed, expected):
    """As after a jump, every file is dated 2096, then 1970; with a run to repeat and with none."""
    for moment in (4e9, 0.0):
        undisturbed.path(RUN, "status.json").unlink()
        for path in [path for path in undisturbed.root.rglob("*") if path.is_file()]:
            os.utime(path, (moment, moment))
        assert recovers(undisturbed, expected).state(RUN) == "ran"
        for path in [path for path in undisturbed.root.rglob("*") if path.is_file()]:
            os.utime(path, (moment, moment))
        assert recovers(undisturbed, expected).state(RUN) == "up to date"


def test_two_starts_at_once(tiny, expected):
    first, second = tiny.start(*START), tiny.start(*START)
    ended = sorted((finish(first), finish(second)), key=lambda one: one.code)
    assert [one.code for one in ended] == [0, 2]
    assert "is reproducing in this workspace" in ended[1].err
    assert fingerprint(tiny) == expected
    assert recovers(tiny, expected).state(RUN) == "up to date"


@pytest.mark.parametrize("kind", ["stand_ins", "iemocap"])
def test_corrupted_cache(undisturbed, expected, kind):
    """One bit of a value in the largest array, in the stand-in's own files or in what was parsed from them."""
    arrays = (undisturbed.root / ".reprise/cache" / kind).rglob("*.npy")
    largest = max(arrays, key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) * 3 // 4] ^= 0x10
    largest.write_bytes(content)
    shutil.rmtree(undisturbed.path(RUN))
    ended = undisturbed.run_all(*START)
    assert ended.code == 0, ended
    assert fingerprint(undisturbed) == expected
    assert half_written(undisturbed) == []


def test_data_file_replaced_between_two_runs(undisturbed):
    """Real files: another label makes another run, the first file back gives the first tables back."""
    (stand_in,) = (undisturbed.root / ".reprise/cache/stand_ins").glob("*/iemocap")
    shutil.copytree(stand_in, undisturbed.root / "data/iemocap")
    undisturbed.parameters(RUN, **{k: v for k, v in TINY.items() if k != "samples"} | {"dataset": "iemocap"})
    assert undisturbed.run_all(*START).code == 0
    first = fingerprint(undisturbed)

    table = undisturbed.root / "data/iemocap/non_combined/df_iemocap.csv"
    original = table.read_text()
    table.write_text(original.replace(",sad,", ",hap,"))
    assert table.read_text() != original
    ended = undisturbed.run_all(*START)
    assert ended.code == 0
    assert f"to run    {RUN} (changed: data/iemocap/" in ended.out
    assert fingerprint(undisturbed) != first

    table.write_text(original)
    kept = {path.name: path.stat().st_mtime_ns for path in records(undisturbed)}
    ended = undisturbed.run_all(*START)
    assert ended.code == 0
    assert {path.name: path.stat().st_mtime_ns for path in records(undisturbed)} == kept
    again = fingerprint(undisturbed)
    assert {name: again[name] for name in first} == first


def test_notebook_edited_during_a_run(tiny, expected):
    process = tiny.start(*START)
    wait_until(lambda: records(tiny), "a record", timeout=180)
    notebook = tiny.root / "notebooks" / f"{NOTEBOOK}.ipynb"
    text = notebook.read_text()
    assert text.count("runs = study.train") == 1
    notebook.write_text(text.replace("runs = study.train", "# edited\\nruns = study.train"))
    ended = finish(process)
    assert (ended.code, ended.state(RUN)) == (0, "ran")
    kept = {path.name: path.stat().st_mtime_ns for path in records(tiny)}
    ended = recovers(tiny, expected)
    assert f"to run    {RUN} (changed: notebooks/{NOTEBOOK}.ipynb)" in ended.out
    assert {path.name: path.stat().st_mtime_ns for path in records(tiny)} == kept


def test_out_of_memory(tiny, expected):
    """The kernel is killed by the system when its group has more than it may (cgroup), as on a cluster's node."""
    group = MEMORY_GROUPS / f"reprise-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no memory group can be made here: {error}")
    try:
        (group / "memory.limit_in_bytes").write_text(str(300 * 2**20))
        script = 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"'
        ended = finish(tiny.popen(["/bin/bash", "-c", script, "grouped", group, tiny.root / "run_all.sh", *START]))
        assert ended.code not in (0, 2)
        assert not tiny.path(RUN, "status.json").exists()
        assert int((group / "memory.max_usage_in_bytes").read_text()) > 290 * 2**20
    finally:
        with suppress(OSError):
            group.rmdir()
    recovers(tiny, expected)


def _log(workspace: Workspace) -> str:
    log = workspace.path(RUN, "log.txt")
    return log.read_text() if log.exists() else ""
