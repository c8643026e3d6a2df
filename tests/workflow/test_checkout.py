"""What a run writes is no change of the checkout, unless its data are real."""

import json
import os
import shutil
import subprocess

import pytest

from tests.workflow.workspace import REAL

# What the runner alone does not write, nor the notebooks of the miniature; and what tests and JupyterLab leave.
FURTHER = (
    "results/index.html",
    ".reprise/snakemake.log",
    ".snakemake/log/1.snakemake.log",
    "results/alpha/quick/figures/scores.png",
    "results/alpha/quick/contents.json",
    "results/alpha/quick/runs.parquet",
    "results/alpha/quick/members/0123.safetensors",
    "results/alpha/explore/tables/result.csv",
    "results/alpha/explore/members/0123.safetensors",
    "results/alpha/utterances/members/0123.safetensors",
    "results/alpha/utterances/executed.ipynb",
    "notebooks/.ipynb_checkpoints/alpha-checkpoint.ipynb",
    ".pytest_cache/README.md",
    ".ruff_cache/CACHEDIR.TAG",
    ".venv/pyvenv.cfg",
    "lib/__pycache__/files.cpython-311.pyc",
    "data/mosi/labels.csv",
)
KEPT = (
    "results/alpha/utterances/tables/scores.csv",
    "results/alpha/utterances/figures/scores.png",
    "results/alpha/utterances/manifest.json",
    "results/alpha/utterances/contents.json",
    "params/explore/mine.yaml",
)


def git(folder, *words: str, **given) -> subprocess.CompletedProcess:
    """Without what the user ignores everywhere, and in no other repository than that of the folder."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-c", "core.excludesFile=/dev/null", *words]
    return subprocess.run(command, cwd=folder, env=ours, capture_output=True, text=True, **given)


@pytest.fixture
def ignored(tmp_path):
    """Which of some names git ignores in a repository with our rules."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    assert git(tmp_path, "init", "--quiet").returncode == 0
    shutil.copy(REAL / ".gitignore", tmp_path)

    def ask(names) -> set[str]:
        done = git(tmp_path, "check-ignore", "--no-index", "--stdin", input="\n".join(names))
        assert done.returncode in (0, 1), done.stderr
        return set(done.stdout.splitlines())

    return ask


def test_every_file_of_a_quick_run_is_ignored(template, finished_template, ignored):
    def files(root):
        return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}

    written = files(finished_template.root) - files(template.root)
    assert {"results/alpha/quick/tables/result.csv", "results/beta/quick/manifest.json"} <= written
    assert written | set(FURTHER) == ignored([*written, *FURTHER])


def test_results_on_real_data_are_kept(ignored):
    assert ignored(KEPT) == set()


@pytest.fixture(scope="module")
def tracked() -> list[str]:
    if shutil.which("git") is None or not (REAL / ".git").exists():
        pytest.skip("this is no checkout of git's")
    return git(REAL, "ls-files", "--", "results", check=True).stdout.split()


def test_nothing_ignored_is_tracked(tracked):
    assert tracked
    assert git(REAL, "ls-files", "--cached", "--ignored", "--exclude-standard", check=True).stdout == ""


def test_tracked_results_are_of_real_data(tracked):
    manifests = [name for name in tracked if name.endswith("/manifest.json")]
    assert manifests
    for name in manifests:
        sources = json.loads((REAL / name).read_text(encoding="utf-8"))["data"]
        assert [source["label"] for source in sources if source["synthetic"]] == [], name
