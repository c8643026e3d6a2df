"""docs/own_model.md: its model stands the trial that it describes, and its other code runs."""

import torch

from lib.training.own_model import model_spec
from tests.docs.clone import ROOT
from tests.docs.test_add_a_paper import steps

PAGE = ROOT / "docs" / "own_model.md"


def test_the_model_of_the_page_is_one(tmp_path):
    text = PAGE.read_text(encoding="utf-8")
    (path, model), (_, asking) = steps(text)
    assert path == "models/mean.py" and len(text.splitlines()) <= 120
    (tmp_path / "mean.py").write_text(model)
    for widths, outputs in (({"text": 300, "audio": 74, "video": 35}, 1), ({"audio": 4}, 7)):
        network = model_spec(f"{tmp_path}/mean.py:Mean", widths, outputs).build()
        assert network(**{m: torch.zeros(5, 3, width) for m, width in widths.items()}).shape == (5, outputs)
    said: dict = {}
    exec(asking.replace("models/mean.py", f"{tmp_path}/mean.py"), said)
    assert said["spec"].arguments["options"] == {"hidden": 16}
