"""`run_all.sh` from end to end: Snakemake, resumption, the closing table and the exit code."""

import os
import signal

import pytest

from tests.workflow.workspace import finish, is_alive, kill_group, wait_until


def test_from_nothing_to_results_then_nothing_to_do(workspace, tmp_path):
    """From another folder, through a link, with a foreign `lib` in the way."""
    elsewhere = tmp_path / "else where"
    (elsewhere / "lib").mkdir(parents=True)
    (elsewhere / "lib/__init__.py").write_text("raise ImportError('the wrong lib')\n")
    (elsewhere / "go").symlink_to(workspace.root / "run_all.sh")
    first = finish(workspace.popen([elsewhere / "go"], cwd=elsewhere))
    assert (first.code, first.err) == (0, "")
    assert (first.state("alpha/quick"), first.state("beta/quick")) == ("ran", "ran")
    assert "results/alpha/quick\n" in first.out
    assert first.out.count("finished  alpha/quick") == 1
    assert workspace.path("beta/quick", "tables/result.csv").read_text() == "result\n1.5\n"

    before = workspace.path("alpha/quick", "status.json").stat().st_mtime_ns
    second = workspace.run_all("--cores", "1")
    assert (second.code, second.err) == (0, "")
    assert (second.state("alpha/quick"), second.state("beta/quick")) == ("up to date", "up to date")
    assert "started" not in second.out
    assert workspace.path("alpha/quick", "status.json").stat().st_mtime_ns == before


@pytest.mark.slow
def test_changed_parameter_repeats_one_run_in_a_folder_with_a_space(finished):
    finished.parameters("alpha/quick", number=4)
    ended = finished.run_all()
    assert " " in finished.root.name
    assert ended.code == 0
    assert (ended.state("alpha/quick"), ended.state("beta/quick")) == ("ran", "up to date")
    assert "to run    alpha/quick (changed: params/alpha/quick.yaml)" in ended.out
    assert finished.path("alpha/quick", "tables/result.csv").read_text() == "result\n16\n"


def test_a_failure_stops_its_own_branch_only(workspace):
    workspace.parameters("alpha/quick", number=3, behaviour="raises")
    ended = workspace.run_all("--cores", "1")
    assert ended.code == 1
    assert (ended.state("alpha/quick"), ended.state("beta/quick")) == ("FAILED", "ran")
    told = "cell_error: cell [4] `# What the parameter asks for.`: ValueError: the number is odd"
    assert ended.out.count(told) == 2  # when it happens and in the closing table
    assert workspace.path("alpha/quick", "executed.ipynb").exists()

    # Mended, and with input that nobody can use beside it.
    workspace.parameters("alpha/quick", number=3)
    workspace.write("params/beta/quick.yaml", "number: 3\nrate: 0.5\n")
    ended = workspace.run_all()
    assert ended.code == 2
    assert (ended.state("alpha/quick"), ended.state("beta/quick")) == ("ran", "FAILED")
    assert "input_error: params/beta/quick.yaml: unknown key 'rate'" in ended.out


def start_waiting(workspace):
    """Both notebooks run; alpha waits."""
    workspace.parameters("alpha/quick", number=3, behaviour="waits")
    process = workspace.start("--cores", "2")
    processes = workspace.processes("alpha/quick")
    wait_until(workspace.path("beta/quick", "status.json").exists, "beta has ended")
    return process, processes


def all_gone(processes):
    wait_until(lambda: not any(map(is_alive, processes)), "kernel and worker are gone", timeout=20)


@pytest.mark.slow
def test_killed_in_the_middle_then_resumed(workspace):
    process, processes = start_waiting(workspace)
    second = workspace.run_all()
    assert (second.code, second.out) == (2, "")
    assert second.err == f"run_all.sh: process {process.pid} is reproducing in this workspace; wait for it or stop it\n"

    kill_group(process)
    all_gone(processes)
    workspace.parameters("alpha/quick", number=3)
    resumed = workspace.run_all()
    assert resumed.code == 0
    assert (resumed.state("alpha/quick"), resumed.state("beta/quick")) == ("ran", "up to date")
    assert "to run    alpha/quick (last attempt: unfinished)" in resumed.out


@pytest.mark.slow
def test_stopped_in_the_middle_says_how_things_stand(workspace):
    process, processes = start_waiting(workspace)
    os.kill(process.pid, signal.SIGINT)
    ended = finish(process)
    assert ended.code == 128 + signal.SIGINT
    assert (ended.state("alpha/quick"), ended.state("beta/quick")) == ("FAILED", "ran")
    assert "interrupted: stopped by SIGINT" in ended.out
    all_gone(processes)


def test_snakemake_that_cannot_start_is_told(workspace):
    ended = workspace.run_all("--only", "alpha", "--profile", "nowhere")
    assert ended.code == 1
    assert ended.state("alpha/quick") == "NOT RUN"
    assert "nowhere" in ended.out
    assert not workspace.path("alpha/quick", "log.txt").exists()


@pytest.mark.slow
def test_profile_of_the_workspace(workspace):
    workspace.write("profiles/one-by-one/config.yaml", "jobs: 1\ndefault-resources:\n  mem_mb: 100\n")
    ended = workspace.run_all("--only", "alpha", "--profile", "one-by-one")
    assert (ended.code, ended.state("alpha/quick")) == (0, "ran")
    assert "mem_mb=100" in (workspace.root / ".reprise/snakemake.log").read_text()
