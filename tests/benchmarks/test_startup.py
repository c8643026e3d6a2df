"""The parts of a run's time, from the times in its executed notebook."""

import json

import pytest

from benchmarks.startup import _phases


def cell(source: str, start: float, end: float) -> dict:
    times = {f"{which}_time": f"2026-01-01T00:00:{at:09.6f}+00:00" for which, at in (("start", start), ("end", end))}
    return {"cell_type": "code", "source": [source], "metadata": {"papermill": times}}


def test_the_parts_of_a_run_follow_each_other_and_add_up_to_it(tmp_path):
    cells = [
        {"cell_type": "markdown", "source": ["study.train()"], "metadata": {}},
        cell("import x", 3.0, 4.0),
        cell("study = f()", 4.5, 5.0),
        cell("runs = study.train()\nreport.runs(runs)", 5.25, 12.0),
        cell("report.finish(runs)", 12.5, 13.0),
    ]
    (path := tmp_path / "executed.ipynb").write_text(json.dumps({"cells": cells}))
    first = 1767225600.0  # 2026-01-01
    found = _phases(path, first + 1.0, first + 15.0)
    assert list(found.values()) == pytest.approx([2.0, 2.25, 6.75, 1.0, 2.0])
    assert found["the cell that trains"] == pytest.approx(6.75)
    path.write_text(json.dumps({"cells": cells[:3]}))
    with pytest.raises(ValueError, match="no cell"):
        _phases(path, first, first + 15.0)
