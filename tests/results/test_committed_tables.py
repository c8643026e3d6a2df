"""A new quick run against the tables in the repository, in a copy of the workspace that has never run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(3300)  # the first test waits for every quick run
QUICK = sorted(path.parent.name for path in (ROOT / "params").glob("*/quick.yaml"))
COPIED = ("lib", "notebooks", "params", "Snakefile", "run_all.sh", "pyproject.toml", "requirements.lock")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory) -> Path:
    """A clone without results, after `./run_all.sh` in the present environment.

    Its trainings are then copied to where the notebooks, run with their defaults, look for them.
    """
    root = tmp_path_factory.mktemp("a fresh clone")
    for name in (*COPIED, "environment.yml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, root / name)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("REPRISE_", "PYTEST_"))}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment["VIRTUAL_ENV"] = sys.prefix
    done = subprocess.run(["./run_all.sh"], cwd=root, env=environment, capture_output=True, text=True, timeout=3000)
    assert done.returncode == 0, done.stdout + done.stderr
    for members in (root / "results").glob("*/quick/members"):
        notebook = members.parts[-3]
        shutil.copytree(members, ROOT / "results" / notebook / "explore" / "members", dirs_exist_ok=True)
    return root


def table(root: Path, notebook: str, name: str) -> pd.DataFrame:
    return pd.read_csv(root / "results" / notebook / "quick" / "tables" / f"{name}.csv")


def committed(notebook: str) -> Path:
    return ROOT / "results" / notebook / "quick" / "tables"


@pytest.mark.parametrize("notebook", QUICK)
def test_the_same_files_come_out(fresh, notebook):
    for folder in ("tables", "figures"):
        ours = {p.name for p in (fresh / "results" / notebook / "quick" / folder).iterdir()}
        assert ours == {p.name for p in (ROOT / "results" / notebook / "quick" / folder).iterdir()}


@pytest.mark.parametrize("notebook", QUICK)
def test_scores_lie_within_the_committed_intervals_and_labels_are_equal(fresh, notebook):
    """Another processor may round differently, so scores agree within the spread over the seeds, not in every bit."""
    for path in committed(notebook).glob("scores_*.csv"):
        ours, theirs = table(fresh, notebook, path.stem), pd.read_csv(path)
        same = ["variant", "metric", "split", "n", "corpus"]
        pd.testing.assert_frame_equal(ours[same], theirs[same])
        assert ours["score"].between(theirs["t_interval_low"], theirs["t_interval_high"]).all()


@pytest.mark.parametrize("notebook", ["iemocap_negative_colearning", "mosi_positive_colearning"])
def test_the_verdicts_that_the_notebook_rests_on_are_equal(fresh, notebook):
    found = list(committed(notebook).glob("gain_*_only.csv"))
    assert found
    for path in found:
        ours, theirs = (
            t.set_index("variant")["verdict"] for t in (table(fresh, notebook, path.stem), pd.read_csv(path))
        )
        assert ours[["rate 0", "rate 0.8"]].to_dict() == theirs[["rate 0", "rate 0.8"]].to_dict()


@pytest.mark.parametrize(
    ("notebook", "metric"), [("iemocap_negative_colearning", "acc"), ("mosi_positive_colearning", "acc2_nonneg")]
)
def test_the_stand_in_shows_negative_co_learning_and_its_cure(fresh, notebook, metric):
    """Text alone comes near its ceiling; without modality dropout the model falls below it, at rate 0.8 it does not."""
    from lib import data, params

    p = params.load(ROOT / "params" / notebook / "quick.yaml", results="-")
    best = data.load(p.dataset, samples=p.samples).source.ceilings["text"][metric]
    scores = table(fresh, notebook, f"scores_{metric}").set_index("variant")
    gains = table(fresh, notebook, f"gain_{metric}_over_text_only").set_index("variant")
    assert scores.loc["text only", "n"] == 5
    assert scores.loc["text only", "score"] >= 0.95 * best
    assert gains.loc["rate 0", "t_interval_high"] < 0
    assert gains.loc["rate 0.8", "t_interval_high"] >= 0


@pytest.mark.parametrize("notebook", QUICK)
def test_everything_is_labelled_synthetic(notebook):
    folder = ROOT / "results" / notebook / "quick"
    for path in (folder / "tables").iterdir():
        assert "SYNTHETIC stand-in" in path.read_text(), path.name
    for path in (folder / "figures").glob("*.svg"):
        assert "SYNTHETIC stand-in" in path.read_text(), path.name
    assert '"synthetic": true' in (folder / "manifest.json").read_text()
