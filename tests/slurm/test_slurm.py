"""`run_all.sh --profile slurm` on a real Slurm of one node: the same tables as here, and what becomes of lost jobs.

The profile is the one that is shipped, with this cluster's partition, small limits and pretend GPUs filled in.
"""

import subprocess
import time
from collections.abc import Iterator
from contextlib import closing

import psutil
import pytest
import yaml

from tests.faults.tiny import MEMBERS, RUN, fingerprint, make, records
from tests.slurm.cluster import Cluster, NoSlurm, ensure_installed
from tests.workflow.workspace import REAL, Workspace, finish, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
PROFILE = "profiles/slurm/config.yaml"
NOTICED_WITHIN_S = 200  # The plugin asks at ever longer intervals, of at most 180 s.


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Workspace:
    workspace = make(tmp_path_factory.mktemp("slurm") / "workspace")
    profile = yaml.safe_load((REAL / PROFILE).read_text())
    profile["default-resources"] |= {"slurm_partition": "test", "gres": "gpu:1", "mem_mb": 1500, "runtime": 10}
    profile |= {"retries": 0, "latency-wait": 30}
    workspace.write(PROFILE, yaml.safe_dump(profile))
    return workspace


@pytest.fixture(scope="module")
def local(template, tmp_path_factory) -> dict[str, str]:
    """What the run finds without Slurm and without chunks."""
    with closing(template.copy(tmp_path_factory.mktemp("local") / "workspace")) as workspace:
        assert workspace.run_all("--only", RUN, "--cores", "1").code == 0
        return fingerprint(workspace)


@pytest.fixture
def workspace(template, tmp_path) -> Iterator[Workspace]:
    with closing(template.copy(tmp_path / "workspace")) as workspace:
        yield workspace


@pytest.fixture
def cluster(tmp_path) -> Iterator[Cluster]:
    try:
        ensure_installed()
        cluster = Cluster(tmp_path / "cluster")
    except NoSlurm as reason:
        pytest.skip(str(reason))
    with closing(cluster):
        yield cluster


def through_slurm(chunks: int) -> tuple[str, ...]:
    return ("--only", RUN, "--profile", "slurm", "--chunks", str(chunks))


def chunk(workspace: Workspace, index: int, count: int) -> dict:
    return workspace.record(RUN, f"members/chunks/{index}-of-{count}.json")


def test_a_grid_through_slurm_gives_the_tables_of_the_local_run(workspace, cluster, local):
    """Both chunks run at once, each with a GPU of its own; their marks reach the shared disk with a delay."""
    runner = workspace.root / "lib/workflow/runner.py"
    prompt = "            job.succeed(taken.identity, facts)\n"
    assert prompt in runner.read_text()
    late = f"            if os.fork() == 0:\n                time.sleep(8)\n    {prompt}                os._exit(0)\n"
    runner.write_text(runner.read_text().replace(prompt, late))
    ended = finish(workspace.start(*through_slurm(2)), timeout=400)
    assert (ended.code, ended.state(RUN)) == (0, "ran"), ended
    both = [chunk(workspace, index, 2) for index in (1, 2)]
    assert sum(done["trained"] for done in both) == MEMBERS
    assert {done["devices"] for done in both} == {"0", "1"}
    assert all(done["slurm_job"] for done in both)
    assert fingerprint(workspace) == local


def test_cancelled_and_overtime_jobs_cost_their_chunk_only(workspace, cluster, local):
    """Of three chunks one is cancelled, one hangs until its time is over, one ends; the next start does the two."""
    _limit(workspace, minutes=1)
    process = workspace.start(*through_slurm(3))
    hanging, other = _hang(workspace, 1, 2)
    cluster.ask("scancel", other.environ()["SLURM_JOB_ID"])
    done = workspace.path(RUN, "members/chunks/3-of-3.json")
    wait_until(done.exists, "the third chunk ends", timeout=120)
    wait_until(lambda: not hanging.is_running(), "the hanging job is over its time", timeout=200)
    since = time.monotonic()
    ended = finish(process, timeout=NOTICED_WITHIN_S)
    assert time.monotonic() - since < NOTICED_WITHIN_S
    assert (ended.code, ended.state(RUN)) == (1, "FAILED"), ended
    assert "chunk_failed: chunk " in ended.out
    assert not workspace.path(RUN, "status.json").exists()

    _limit(workspace, minutes=10)
    before = {path.name: path.stat().st_mtime_ns for path in [done, *records(workspace)]}
    ended = finish(workspace.start(*through_slurm(3)), timeout=400)
    assert ended.code == 0, ended
    assert f"chunks    {RUN}: 3, of which 1 are done" in ended.out
    after = {path.name: path.stat().st_mtime_ns for path in [done, *records(workspace)]}
    assert {name: after[name] for name in before} == before
    assert sum(chunk(workspace, index, 3)["trained"] for index in (1, 2)) == MEMBERS - len(before) + 1
    assert fingerprint(workspace) == local


def test_a_node_that_goes_down_costs_its_chunks_only(workspace, cluster, local):
    """Slurm itself queues the node's jobs again; when a node is there the same start goes on."""
    process = workspace.start(*through_slurm(3))
    _hang(workspace, 1)
    done = [workspace.path(RUN, f"members/chunks/{index}-of-3.json") for index in (2, 3)]
    wait_until(lambda: any(path.exists() for path in done), "a chunk ends", timeout=120)
    cluster.kill_node()
    cluster.wait_for("down", timeout=120)
    before = {path.name: path.stat().st_mtime_ns for path in records(workspace)}
    assert 0 < len(before) < MEMBERS
    cluster.start_daemon("slurmd")
    ended = finish(process, timeout=400)
    assert (ended.code, ended.state(RUN)) == (0, "ran"), ended
    after = {path.name: path.stat().st_mtime_ns for path in records(workspace)}
    assert {name: after[name] for name in before} == before
    assert fingerprint(workspace) == local


def test_a_job_that_fails_is_told_at_once(workspace, cluster):
    """Long before Slurm is asked again, from the mark that the job leaves."""
    runner = workspace.root / "lib/workflow/runner.py"
    runner.write_text(
        runner.read_text().replace("facts = train(job, taken.parameters)", "raise OSError('no such GPU')")
    )
    process = workspace.start(*through_slurm(2))
    failure = workspace.path(RUN, "members/chunks/1-of-2.failure.json")
    wait_until(lambda: failure.exists() and "no such GPU" in failure.read_text(), "it fails", timeout=120)
    assert _line(process, "FAILED") == f"FAILED    {RUN}, chunk 1 of 2: crashed: OSError: no such GPU\n"
    ended = finish(process, timeout=NOTICED_WITHIN_S)
    assert (ended.code, ended.state(RUN)) == (1, "FAILED")


def _line(process: subprocess.Popen, start: str) -> str:
    return next(line for line in process.stdout if line.startswith(start) and "chunk 1 " in line)


def _limit(workspace: Workspace, minutes: int) -> None:
    """The time that a job may take."""
    profile = yaml.safe_load((workspace.root / PROFILE).read_text())
    profile["default-resources"]["runtime"] = minutes
    workspace.write(PROFILE, yaml.safe_dump(profile))


def _hang(workspace: Workspace, *indices: int) -> list[psutil.Process]:
    """The processes of these chunks of three, each stopped as soon as it names itself: it may take but seconds."""
    stopped: dict[int, psutil.Process] = {}

    def all_stopped() -> bool:
        for index in set(indices) - set(stopped):
            named = workspace.path(RUN, f"members/chunks/{index}-of-3.failure.json")
            if named.exists():
                process = psutil.Process(int(named.read_text().partition("process ")[2].split()[0]))
                process.suspend()
                stopped[index] = process
        return len(stopped) == len(indices)

    wait_until(all_stopped, f"chunks {indices} begin", timeout=120)
    return [stopped[index] for index in indices]
