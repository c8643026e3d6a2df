"""Low-rank fusion on corpora that somebody has brought: classes and scores, with the modalities that are there.

What lies in the data folder is known when the library is loaded, so each question is put in a process of its own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.data.own.brought import features, write_folder, yaml_of

ROOT = Path(__file__).resolve().parents[3]
SCALE = {"limits": [-3, 3], "neutral": 0}
SETTING = {
    "audio_hidden": 3, "video_hidden": 2, "text_hidden": 4, "audio_dropout": 0, "video_dropout": 0, "text_dropout": 0,
    "factor_learning_rate": 0.01, "learning_rate": 0.01, "rank": 2, "batch_size": 4, "weight_decay": 0,
}  # fmt: skip
GIVEN = {"seeds": [0, 1], "setting": SETTING, "epochs": 2, "ranks": [1], "tfn_size": 4, "unimodal": True}
_ASK = """
import json, sys
from pathlib import Path
from lib import params
from lib.errors import InputError
from lib.papers.low_rank_fusion import LowRankFusion, means, tables
from lib.papers.low_rank_fusion import study as lmf
from lib.reporting.report import Report
given = json.loads(sys.argv[1])
try:
    p = params.check(LowRankFusion, given, where="test")
    study = lmf.study(p)
except InputError as error:
    print(json.dumps({"refused": str(error)}))
    sys.exit()
runs = means.with_means(study.train())
task = study.tasks[0]
report = Report(study)
report.corpus(lmf.describe(study), "corpus")
floor = lmf.constant(task)
table = means.run_table(runs)
scores = {m: tables.score_table(table, m)["score"].notna().all().item() for m in task.metrics}
report.published(lmf.paper(p), table, lmf.beside_published(p), lmf.TABLE_2[p.family], runs=runs, **lmf.comparable(p))
report.modalities(lmf.asked(runs), task.metrics[0])
found = {"statuses": sorted({r.status for r in runs.records}), "variants": sorted({r.variant for r in runs.records})}
found |= {"shape": runs.records[0].outputs["test"].shape, "floor": floor["prediction"], "scores": scores}
found |= {"steps": {m: x.shape[1] for m, x in task.corpus.splits["train"].features.items()}}
found |= {"loss": runs.done[0][1].recipe.loss, "classes": task.classes and task.classes.names}
sys.stderr.flush()
print("\\n" + json.dumps(found))
"""


def asked(root: Path, **changes: object) -> dict:
    given = GIVEN | {"dataset": "mine", "results": str(root / "run"), "data_root": str(root)} | changes
    surroundings = os.environ | {"REPRISE_DATA": str(root), "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    command = [sys.executable, "-P", "-c", _ASK, json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, env=surroundings, check=False, cwd=root)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def write_scores(folder: Path, scores: int = 1) -> None:
    """Sound and picture alone, a score or several of each utterance."""
    folder.mkdir(parents=True)
    for split in ("train", "valid", "test"):
        arrays = {m: x for m, x in features(split).items() if m != "text"}
        n = len(arrays["audio"])
        labels = np.linspace(-2.5, 3, n * scores).reshape(n, scores)
        ids = np.array([f"{split}{k}" for k in range(n)])
        np.savez(folder / f"{split}.npz", **arrays, labels=labels[:, 0] if scores == 1 else labels, ids=ids)
    names = ["pleasure", "arousal"][:scores]
    told = yaml_of(task="regression", labels=names, scale=SCALE, unit="utterance")
    (folder / "corpus.yaml").write_text(yaml.safe_dump(told))


@pytest.mark.slow
def test_two_classes_of_three_modalities(tmp_path):
    write_folder(tmp_path / "own" / "mine")
    found = asked(tmp_path, targets=["class"])
    assert found["statuses"] == ["finished"]
    assert found["variants"] == sorted(
        ["LMF", "TFN", "concatenation", "LMF legacy", "LMF rank 1", "text alone", "audio alone", "video alone"]
    )
    assert (found["shape"], found["loss"], found["classes"]) == ([6, 2], "cross_entropy_sum", ["bad", "good"])
    assert found["floor"] == "always the most frequent class of training"
    assert found["scores"] == {"weighted_f1": True, "acc": True}
    assert found["steps"] == {"text": 6, "audio": 1, "video": 1}  # sound and picture averaged, as in the paper


def test_a_score_of_sound_and_picture(tmp_path):
    write_scores(tmp_path / "own" / "mine")
    found = asked(tmp_path, targets=["score"])
    assert found["statuses"] == ["finished"]
    assert "video alone" in found["variants"] and "text alone" not in found["variants"]
    assert (found["shape"], found["loss"], found["classes"]) == ([6, 1], "l1_sum", None)
    assert found["floor"] == "always the training median"
    assert found["scores"]["mae"]


@pytest.mark.parametrize(
    ("write", "changes", "said"),
    [
        (
            lambda folder: write_scores(folder, scores=2),
            {"targets": ["score"]},
            "mine: 2 scores of an utterance (pleasure, arousal); low-rank fusion says one of them",
        ),
        (write_folder, {"targets": ["score"]}, "no target 'score' in mine; there are: class"),
        (
            write_folder,
            {"targets": ["class"], "setting": None},
            "has no row for 'class': give a setting",
        ),
        (
            lambda folder: write_folder(folder, task="multilabel"),
            {"targets": ["bad"]},
            "labels of mine are each present or not, these networks say one class or score",
        ),
    ],
)
def test_what_it_cannot_take_is_refused_in_one_line(tmp_path, write, changes, said):
    write(tmp_path / "own" / "mine")
    assert said in asked(tmp_path, **changes)["refused"]
