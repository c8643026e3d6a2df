"""Workspaces at odd places, called in odd ways, checked out with other line ends."""

import shutil
import subprocess

import pytest

from tests.workflow.machines import bare, run_all, shell
from tests.workflow.workspace import REAL, Workspace

RUN = "alpha/quick"
WITH_WORKERS = """
import joblib

from lib.squares import square

result = sum(joblib.Parallel(2)(joblib.delayed(square)(n) for n in (number, 4)))
"""
NAMES = ("a {x} {{b}} {0} {number} {prefix}", "-a{:b\n 'q\" $HOME `x` %s \\ ü", "x" * 200)


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_path_of_the_workspace(small, tmp_path, name):
    """What braces, colons and the like mean to Snakemake, papermill, PYTHONPATH and the shell."""
    moved = small.root.rename(tmp_path / name)
    workspace = Workspace(moved)
    workspace.write_notebook("alpha", WITH_WORKERS)
    ended = run_all(workspace)
    assert (ended.code, ended.err, ended.state(RUN)) == (0, "", "ran"), ended
    assert workspace.path(RUN, "tables/result.csv").read_text() == "result\n25\n"


@pytest.mark.parametrize("shell_of_theirs", ["sh", "dash", "bash", "busybox sh", "bash --posix"])
def test_any_shell_and_any_way_to_call_it(small, tmp_path, shell_of_theirs):
    if shutil.which(shell_of_theirs.split()[0]) is None:
        pytest.skip(f"no {shell_of_theirs} here")
    (elsewhere := tmp_path / "else where").mkdir()
    (elsewhere / "go").symlink_to("../workspace/run_all.sh")
    expected = f"{RUN}  would run (never run)\n"
    for way in (f"{shell_of_theirs} run_all.sh", f"cd params; {shell_of_theirs} ../run_all.sh"):
        assert shell(small, f"{way} --dry-run", CDPATH="/tmp").out == expected
    assert shell(small, f"cd '{elsewhere}'; {shell_of_theirs} go --dry-run").out == expected
    # From a folder that is gone.
    assert shell(
        small, f"cd '{elsewhere}'; rm -r ../'else where'; {shell_of_theirs} '{small.root}'/run_all.sh --dry-run"
    )


def test_a_file_that_was_meant_for_a_run_is_named(small):
    for name in ("with space.yaml", "quick.yml", "a{b}.yaml"):
        small.write(f"params/gamma/{name}", "number: 3\n")
        ended = run_all(small, "--only", f"gamma/{name.rpartition('.')[0]}")
        assert ended.code == 2
        better = {"with space.yaml": "with_space", "quick.yml": "quick", "a{b}.yaml": "a_b_"}[name]
        assert f"; rename params/gamma/{name} to {better}.yaml: " in ended.err
        assert ended.err.count("\n") == 1
        (small.root / "params/gamma" / name).unlink()


def test_a_checkout_under_autocrlf_has_the_bytes_of_the_repository(template, tmp_path):
    """As Git for Windows sets it: scripts start, and no result counts as damaged."""
    source = template.copy(tmp_path / "source").root
    shutil.copy(REAL / ".gitattributes", source)
    for name in ("Snakefile", "tests/workflow/machines.py", "README.md", ".ci/run", "requirements.lock"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REAL / name, source / name)
    (source / "results/alpha/quick/tables").mkdir(parents=True)
    for name, content in {
        "results/alpha/quick/tables/unix.csv": b"a,b\n1,2\n",
        "results/alpha/quick/tables/windows.csv": b"a,b\r\n1,2\r\n",
        "results/alpha/quick/tables/t.md": b"| a |\r\n| b |\n",
        "tests/golden.npz": b"PK text\n\r\n\x00",
        "tests/picture.png": b"text \n only \r\n",
    }.items():
        (source / name).write_bytes(content)
    git = (
        "git",
        "-c",
        "user.name=n",
        "-c",
        "user.email=e@example.org",
        "-c",
        "core.autocrlf=true",
        "-c",
        "core.safecrlf=0",
    )
    for arguments in (["init", "-q"], ["add", "-f", "."], ["commit", "-q", "--no-verify", "-m", "all"]):
        subprocess.run([*git, *arguments], cwd=source, env=bare(HOME="/"), check=True)
    clone = tmp_path / "clone"
    subprocess.run([*git, "clone", "-q", "-c", "core.autocrlf=true", source, clone], env=bare(HOME="/"), check=True)
    files = [path.relative_to(source) for path in source.rglob("*") if path.is_file() and ".git" not in path.parts]
    assert len(files) > 50
    assert [name for name in files if (clone / name).read_bytes() != (source / name).read_bytes()] == []
    ended = run_all(Workspace(clone), "--dry-run")
    assert (ended.code, ended.err) == (0, "")
