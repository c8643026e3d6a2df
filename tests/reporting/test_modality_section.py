"""What the section on modalities says and leaves behind."""

from pathlib import Path

import pandas as pd
import pytest

from lib.reporting import modality_section, modality_share
from lib.reporting.disturbed import disturbed_scores, subset_scores
from tests.reporting.trained_runs import kinds


def test_sentences_say_where_the_interval_lies():
    columns = modality_share.COLUMNS
    rows = [
        ("m", "text", 0.2, 0.1, 0.3, 5, "acc"),
        ("m", "audio", -0.2, -0.3, -0.1, 5, "acc"),
        ("m", "video", 0.0, -0.1, 0.1, 5, "acc"),
        ("one", "text", 0.2, float("nan"), float("nan"), 1, "acc"),
    ]
    several, one = modality_section.sentences(pd.DataFrame(rows, columns=columns))
    assert several == "m: text brings most (+0.2000); the interval lies above 0 for text, below 0 for audio."
    assert one == "one: text brings most (+0.2000); one seed, so no interval."


def test_nothing_finished_nothing_written(tmp_path):
    assert modality_section.write([], "acc", tmp_path, label="x, real data") == []
    assert not list(Path(tmp_path).iterdir())


@pytest.mark.parametrize("kind", ["classes", "slots"])
def test_workers_and_what_is_known_change_no_bit(tmp_path, kind):
    runs = [kinds()[kind].read(tmp_path, seed)[0] for seed in (0, 1)]
    noise, missing = (0.0, 1.0), (0.0, 0.5, 1.0)
    alone, spread = (modality_section._asked(runs, noise, missing, workers) for workers in (1, 2))
    assert alone == spread
    each = [(subset_scores(run), list(disturbed_scores(run, noise, missing))) for run in runs]
    assert alone == each
    assert each[0] != each[1]
