"""How many places one touches to add a paper, a corpus, a model or a metric: one of each is added to a copy.

The paper is that of docs/add_a_paper.md, whose notebook `test_add_a_paper.py` runs; here it trains the new model, and
its run table holds the new metric. A corpus also stands in a table of the README, which a command writes.
"""

import filecmp
import json
import re
import shlex
from pathlib import Path

import pytest

from tests.docs.clone import COPIED, ROOT, run, workspace_copy
from tests.docs.test_add_a_paper import PAGE, follow

Places = dict[str, tuple[str, str]]
"""By file a text that stands there once, and what takes its place; an empty text: the file is not there yet."""


def behind(there: str, new: str) -> tuple[str, str]:
    return there, there + new


CORPUS: Places = {
    "lib/data/descriptions/lmf_pickles.py": behind(
        "\nLMF_PICKLES = (",
        """
    Description(
        name="voices",
        label="Voices",
        title="two actors' voices, two numbers per clip",
        reader="lib.data.arrays.voices:read",
        task="classes",
        form="sequences",
        family="voices",
        cluster="speaker",
        licence="CC0; cite Doe 2020 (voices)",
        how=lmf_pickle("voices"),
        modalities=("audio",),
    ),""",
    ),
    "lib/data/arrays/voices.py": (
        "",
        '''"""A table of voices: the clip, its class, two numbers; the splits are the thirds of its rows."""

from pathlib import Path

import numpy as np

from lib.data.corpus import SPLITS, Corpus, Split
from lib.data.io.features import finite_float32
from lib.data.io.label_rules import class_numbers
from lib.data.io.provenance import concluded, opened_source
from lib.data.io.text_files import rows
from lib.errors import InputError


def files(root: Path) -> list[Path]:
    return [root / "voices.csv"]


def read(root: Path, *, nonfinite: str = "error") -> Corpus:
    (path,) = files(root)
    source = opened_source("voices", root, [path])
    try:
        table = [(cells[0], *map(float, cells[1:])) for _, cells in rows(path, 4)]
    except ValueError as error:
        raise InputError(f"not a number ({error})", where=path) from None
    splits = {}
    for name, part in zip(SPLITS, np.array_split(np.array(table, dtype=object).reshape(-1, 4), 3), strict=True):
        audio, _ = finite_float32(part[:, None, 2:].astype(float), "audio", path, nonfinite)
        labels = class_numbers(part[:, 1].astype(float), 2, path)
        splits[name] = Split({"audio": audio}, np.ones(len(part), np.int64), labels, tuple(part[:, 0]))
    return Corpus("classes", ("calm", "angry"), {"audio": 2}, splits, concluded(source, root, "in order"))
''',
    ),
    "tests/data/readers.py": behind(
        "READERS: dict[str, Reader] = {",
        """
    "voices": corpus(
        "voices",
        lambda root: (root / "voices.csv").write_text("".join(f"clip {i},{i % 2},{i},{-i}\\n" for i in range(30))),
        ("voices.csv",),
        "voices",
    ),""",
    ),
}
MODEL: Places = {
    "lib/models/mean_pooling.py": (
        "",
        '''"""The mean over time of all modalities side by side feeds a two-layer head."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class MeanPooling(nn.Module):
    """`features` gives the width of each modality, in the order of concatenation."""

    def __init__(self, features: Mapping[str, int], hidden: int):
        super().__init__()
        self.features = tuple(features)
        self.fc1 = nn.Linear(sum(features.values()), hidden)
        self.fc2 = nn.Linear(hidden, 1)

    def forward(self, **inputs: Float[Tensor, "batch time _"]) -> Float[Tensor, "batch 1"]:
        pooled = torch.cat([inputs[modality].mean(dim=1) for modality in self.features], dim=-1)
        return self.fc2(F.relu(self.fc1(pooled)))
''',
    ),
    "tests/models/test_mean_pooling.py": (
        "",
        '''"""The mean over time, by hand."""

import torch

from lib.models.mean_pooling import MeanPooling


def test_mean_over_time():
    model = MeanPooling({"a": 1, "b": 1}, hidden=1)
    one, none = torch.ones(1, 1), torch.zeros(1)
    weights = {"fc1.weight": torch.tensor([[2.0, -1.0]]), "fc1.bias": torch.tensor([0.5])}
    model.load_state_dict(weights | {"fc2.weight": one, "fc2.bias": none})
    steps = {"a": torch.tensor([[[1.0], [3.0]]]), "b": torch.tensor([[[0.0], [1.0]]])}
    assert model(**steps).item() == 2 * 2.0 - 0.5 + 0.5
''',
    ),
    "lib/papers/paper_zero/study.py": ("ef_lstm:EFLSTM", "mean_pooling:MeanPooling"),
}
METRIC: Places = {
    "lib/metrics/scores.py": behind(
        "RATINGS = (",
        """
    Metric("within_one", "higher", "off by less than 1", lambda a: np.mean(np.abs(a.predictions - a.labels) < 1)),""",
    ),
    "tests/metrics/test_scores.py": behind(
        "def logits_for(predictions, n_classes):\n    return 5.0 * np.eye(n_classes)[predictions]\n",
        """

def test_within_one():
    assert regression(np.array([0.5, 1.0, 3.0, -0.5]), np.zeros(4))["within_one"] == 0.5
    assert (direction("within_one"), words("within_one")) == ("higher", "off by less than 1")
""",
    ),
}
PAPER = {"lib/papers/paper_zero", "notebooks/paper_zero.ipynb", "params/paper_zero"}
CHECKS = """
import json
from pathlib import Path
from lib import data, papers
from lib.papers.explore import CORPORA
from lib.source_closure import closure

Path("data").mkdir()
Path("data/voices.csv").write_text("".join(f"clip {i},{i % 2},{i},{-i}\\n" for i in range(30)))
p = papers.load("params/paper_zero/quick.yaml", results="results/paper_zero/one_epoch").model_copy(update={"epochs": 1})
voices, study = data.load("voices"), papers.study_of(p)
runs, spec = study.train(), study.members[0][1].model
test = runs.table[runs.table["split"] == "test"]
print(json.dumps({
    "corpus": [voices.source.label, voices.source.cluster, len(voices.splits["test"])],
    "in the explorer": CORPORA.get("voices"),
    "model": type(spec.build()).__name__,
    "code of the model": [name for name in closure([spec.module]) if "pooling" in name],
    "statuses": [record.status for record in runs.records],
    "metric": [0 < value < 1 for value in test.loc[test["metric"] == "within_one", "value"]],
}))
"""


def touch(root: Path, places: Places) -> None:
    for path, (there, new) in places.items():
        before = (root / path).read_text(encoding="utf-8") if there else ""
        assert before.count(there) == 1 if there else not (root / path).exists()
        (root / path).write_text(before.replace(there, new) if there else new, encoding="utf-8")


def changed(root: Path) -> set[str]:
    """The files that are not those of the workspace, or not there."""
    paths = [path for name in COPIED for path in (root / name, *(root / name).rglob("*")) if path.is_file()]
    names = [path.relative_to(root).as_posix() for path in paths if "__pycache__" not in path.parts]
    return {n for n in names if not (ROOT / n).is_file() or not filecmp.cmp(root / n, ROOT / n, shallow=False)}


@pytest.fixture(scope="module")
def grown(tmp_path_factory) -> Path:
    root = workspace_copy(tmp_path_factory.mktemp("grown") / "clone")
    follow(PAGE.read_text(encoding="utf-8").partition("## Run")[0], root)
    for places in (CORPUS, MODEL, METRIC):
        touch(root, places)
    return root


def test_nothing_else_is_touched(grown):
    assert (len(PAPER), len(CORPUS), len(MODEL), len(METRIC)) == (3, 3, 3, 2)
    of_paper = {path for path in changed(grown) if path.startswith(tuple(PAPER))}
    assert {place for place in PAPER if any(path.startswith(place) for path in of_paper)} == PAPER
    assert changed(grown) - of_paper == {*CORPUS, *MODEL, *METRIC} - of_paper


def test_a_command_puts_the_corpus_into_the_readme(tmp_path):
    root = workspace_copy(tmp_path / "clone")
    touch(root, CORPUS)
    run("python -m lib.data.catalogue", root)
    before, after = ((at / "README.md").read_text(encoding="utf-8").splitlines() for at in (ROOT, root))
    (row,) = [line for line in after if line not in before]
    what = "two actors' voices, two numbers per clip"
    assert row == f"| `voices` | {what} | classes | on request: `data get voices` | CC0; cite Doe 2020 (voices) |  |"
    assert [line for line in after if line != row] == before


def test_each_is_found_by_what_should_find_it(grown):
    assert json.loads(run(f"python -c {shlex.quote(CHECKS)}", grown)) == {
        "corpus": ["Voices, real data", "speaker", 10],
        "in the explorer": "classes",
        "model": "MeanPooling",
        "code of the model": ["lib/models/mean_pooling.py"],
        "statuses": ["finished"] * 6,
        "metric": [True] * 6,
    }


def test_the_corpus_can_be_obtained_and_checked(grown):
    assert re.search(r"^voices\b.*missing", run("./run_all.sh data check", grown), re.MULTILINE)


@pytest.mark.slow
def test_their_tests_pass(grown):
    files = "tests/data/test_hostile.py tests/data/test_corpora.py tests/models/test_mean_pooling.py tests/metrics"
    chosen = "voices or every_module or mean_pooling or within_one or direction_of_every_row"
    said = run(f"python -m pytest -q -p no:cacheprovider {files} -k '{chosen}'", grown)
    assert int(re.search(r"(\d+) passed", said)[1]) >= 7
