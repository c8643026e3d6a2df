"""A workspace that cannot be written or grow: one line says what, where and what to do; the next start finishes."""

import os
import shutil
import subprocess
import sys

import pytest

from lib.workflow.launch import write_whole
from tests.workflow.machines import NOBODY, bare, run_all, shell, skip_unless_it_works

RUN = "alpha/quick"


def recovers(workspace):
    ended = run_all(workspace)
    assert (ended.code, ended.err, ended.state(RUN)) == (0, "", "ran"), ended


@pytest.mark.parametrize("blocks", [0, 60])
def test_no_file_may_grow(small, blocks):
    """Also none of compiled code, which Python would leave cut short, and then not start any more."""
    ended = shell(small, f'ulimit -f {blocks}; "$run" --cores 1')
    assert (ended.code, "Traceback" in ended.out + ended.err) == (1, False), ended
    assert "raise the limit on the size of files (ulimit -f)" in ended.out + ended.err
    assert not small.path(RUN, "status.json").exists()
    recovers(small)


def test_a_page_that_cannot_be_written_is_one_line(finished):
    page = finished.root / "results/index.html"
    page.unlink(missing_ok=True)
    ended = shell(finished, 'ulimit -f 2; "$run" --cores 1')
    assert (ended.code, "Traceback" in ended.out + ended.err) == (1, False)
    todo = "raise the limit on the size of files (ulimit -f)"
    assert ended.err == f"run_all.sh: results/index.html: File too large; {todo}\n"
    assert not page.exists()


@pytest.mark.parametrize("kilobytes", [0, 200])
def test_full_disk(small, tmp_path, kilobytes):
    """The whole workspace on a disk of its own, with so much left."""
    skip_unless_it_works("unshare", "--user", "--map-root-user", "--mount", what="a file system of one's own")
    for folder in small.root.rglob("__pycache__"):
        shutil.rmtree(folder)
    script = f"""
        disk={tmp_path}/disk; mkdir $disk
        mount -t tmpfs -o size=100m tmpfs $disk && cp -a {small.root} $disk/w && cd $disk/w || exit 77
        sync; used=$(df -k --output=used $disk | tail -n 1)
        mount -o remount,size=$((used + {kilobytes}))k $disk || exit 77
        ./run_all.sh --cores 1; echo "exit code $?"
        mount -o remount,size=100m $disk
        ./run_all.sh --cores 1
    """
    command = ["unshare", "--user", "--map-root-user", "--mount", "/bin/bash", "-c", script]
    done = subprocess.run(command, env=bare(HOME="/"), capture_output=True, text=True, timeout=300)
    if done.returncode == 77:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    first, _, second = done.stdout.partition("exit code 1\n")
    assert second, done
    assert "No space left on device" in first + done.stderr
    assert "free some space" in first + done.stderr
    assert "Traceback" not in first + done.stderr
    assert done.returncode == 0
    assert f"{RUN}  ran" in second


def test_read_only_workspace(small):
    """What only looks works; what would write says where it cannot."""
    skip_unless_it_works(*NOBODY, what="another user")
    before = sorted(small.root.rglob("*"))
    subprocess.run(["chmod", "-R", "a-w", small.root], check=True)
    try:
        looked = run_all(small, "--dry-run", before=NOBODY)
        ended = run_all(small, before=NOBODY)
    finally:
        subprocess.run(["chmod", "-R", "u+w", small.root], check=True)
    assert (looked.code, looked.err, looked.out) == (0, "", f"{RUN}  would run (never run)\n")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("run_all.sh: .reprise: Permission denied; let user 12345 read and write it")
    assert ended.err.count("\n") == 1
    assert sorted(small.root.rglob("*")) == before


@pytest.mark.parametrize("files", [16, 40])
def test_few_open_files(small, files):
    ended = shell(small, f'ulimit -n {files}; "$run"')
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == f"run_all.sh: only {files} files may be open at once; raise the limit (ulimit -n 256)\n"


def test_a_low_limit_that_may_be_raised_is_raised(small):
    ended = shell(small, 'ulimit -Sn 40; "$run"')
    assert (ended.code, ended.err, ended.state(RUN)) == (0, "", "ran")


@pytest.mark.parametrize(("mask", "mode"), [("077", "600"), ("000", "666")])
def test_any_umask(small, mask, mode):
    ended = shell(small, f'umask {mask}; "$run" && stat --format %a results/{RUN}/status.json')
    assert ended.code == 0
    assert ended.out.endswith(f"{mode}\n")


def test_compiled_code_is_whole_or_absent(tmp_path):
    target = tmp_path / "__pycache__" / "module.pyc"
    write_whole(None, str(target), b"x" * 100, _mode=0o600)
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"x" * 100, 0o600)
    script = "import sys; from lib.workflow.launch import write_whole; write_whole(None, sys.argv[1], b'x' * 9999)"
    target.unlink()
    command = ["/bin/bash", "-c", 'ulimit -f 4; exec "$@"', "limited", sys.executable, "-c", script, target]
    subprocess.run(command, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}, check=True)
    assert list(target.parent.iterdir()) == []
