"""docs/own_model.md: its model stands the trial that it describes, and the page is followed to the letter."""

import re

import pandas as pd
import pytest
import torch

from lib.training.own_model import model_spec
from tests.docs.clone import ROOT, workspace_copy
from tests.docs.test_add_a_paper import follow, steps

PAGE = ROOT / "docs" / "own_model.md"
ROW = re.compile(r"^\| (.+?) \| (.+?) \| (\d\.\d{4}) ± \d\.\d{4} \|$", re.MULTILINE)
NEAR = 0.1
"""Three of the thirty test samples: what another machine's rounding may change in the page's scores."""


def test_the_model_of_the_page_is_one(tmp_path):
    text = PAGE.read_text(encoding="utf-8")
    (path, model), (_, asking) = [step for step in steps(text) if step[0].endswith(".py")]
    assert path == "models/mean.py" and len(text.splitlines()) <= 120
    (tmp_path / "mean.py").write_text(model)
    for widths, outputs in (({"text": 300, "audio": 74, "video": 35}, 1), ({"audio": 4}, 7)):
        network = model_spec(f"{tmp_path}/mean.py:Mean", widths, outputs).build()
        assert network(**{m: torch.zeros(5, 3, width) for m, width in widths.items()}).shape == (5, outputs)
    said: dict = {}
    exec(asking.replace("models/mean.py", f"{tmp_path}/mean.py"), said)
    assert said["spec"].arguments["options"] == {"hidden": 16}


@pytest.mark.slow
def test_the_page_ends_in_the_table_that_it_shows(tmp_path):
    text, root = PAGE.read_text(encoding="utf-8"), workspace_copy(tmp_path / "clone")
    follow(text, root)
    tables = root / "results" / "bench" / "mine" / "tables"
    scores = pd.read_csv(tables / "scores.csv").set_index(["model", "strategy"])["score"]
    shown = {(model, strategy): float(score) for model, strategy, score in ROW.findall(text)}
    assert set(scores.index) == set(shown)
    for method, score in shown.items():
        assert scores[method] == pytest.approx(score, abs=NEAR)
    missed = pd.read_csv(tables / "not_run.csv").set_index("model")["why"]
    assert f"`{missed['Mean']}`" in text.replace("\n", " ")
