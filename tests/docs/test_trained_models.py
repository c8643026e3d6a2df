"""docs/trained_models.md, followed to the letter in a copy of the repository."""

import pandas as pd
import pytest

from lib.export.about import ABOUT, CARD, WEIGHTS
from lib.workflow.usage import parse
from tests.docs.clone import ROOT, workspace_copy
from tests.docs.test_add_a_paper import follow, steps

PAGE = ROOT / "docs" / "trained_models.md"


def test_the_page_is_short_and_its_commands_are_understood():
    text = PAGE.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    assert [path for path, _ in steps(text) if path] == ["ask.py", "mine.py"]
    commands = [line for path, block in steps(text) if not path for line in block.splitlines()]
    called = [line.removeprefix("./run_all.sh ") for line in commands if line.startswith("./run_all.sh ")]
    assert [parse(line.replace('"rate 0.8"', "rate-0.8").split()).verb for line in called] == [
        "reproduce",
        "export",
        "predict",
    ]
    assert all(f"`{name}`" in text for name in (ABOUT, CARD, WEIGHTS))


@pytest.mark.slow
def test_a_run_becomes_a_model_that_answers(tmp_path):
    root = workspace_copy(tmp_path / "clone")
    trained, predicted, asked = follow(PAGE.read_text(encoding="utf-8"), root)
    assert "exported/rate-0.8-seed0: rate 0.8, seed 0\n" in trained
    table = pd.read_csv(root / "said.csv")
    assert list(table) == ["id", "score", "predicted", "contribution_text", "without_any"]
    assert predicted == f"said.csv: {len(table)} utterances\n"
    assert "first" in asked and "second" in asked and "contribution_text" in asked
