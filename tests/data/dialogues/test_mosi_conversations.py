"""CMU-MOSI videos as dialogues."""

import numpy as np
import pytest

from lib import data
from lib.data.corpus import SPLITS
from lib.data.mosi import mosi_utterances
from lib.errors import InputError
from tests.data.samples import REAL, STAND_IN, utterance_table


def test_videos_become_dialogues_in_the_order_of_their_segments(tmp_path):
    table, values = utterance_table()
    mosi_utterances.write(tmp_path, table, values, REAL)
    corpus = data.load("mosi_conversations", tmp_path)
    spoken = data.load("mosi_utterances", tmp_path, context=1, task="classes")
    assert corpus.task == "classes"
    for name in SPLITS:
        dialogues, rows = corpus.splits[name], spoken.splits[name]
        real = dialogues.labels >= 0
        np.testing.assert_array_equal(dialogues.labels[real], rows.labels)
        np.testing.assert_array_equal(dialogues.lengths, real.sum(1))
        assert set(dialogues.speakers[real]) == {0}
        for m, x in dialogues.features.items():
            np.testing.assert_array_equal(x[real], rows.features[m][:, 0])
        videos = [key.rpartition("_")[0] for key in rows.ids]
        assert dialogues.ids == tuple(dict.fromkeys(videos))
    assert corpus.source.warnings == spoken.source.warnings


def test_a_stand_in_stays_one(tmp_path):
    mosi_utterances.write(tmp_path, *utterance_table(), STAND_IN)
    assert data.load("mosi_conversations", tmp_path).source.label == "sample-like, joined by video, SYNTHETIC stand-in"


def test_missing_files(tmp_path):
    with pytest.raises(InputError, match=r"missing \(and 9 more\); see \./run_all\.sh data get mosi_utterances"):
        data.load("mosi_conversations", tmp_path)


def test_the_real_corpus(real_root):
    corpus = data.load("mosi_conversations", real_root)
    sizes = {name: (len(split), int(split.lengths.sum())) for name, split in corpus.splits.items()}
    assert sizes == {"train": (52, 1228), "valid": (10, 219), "test": (31, 752)}
    assert corpus.splits["test"].lengths.max() == 63
    assert any("only the test split may be reported" in warning for warning in corpus.source.warnings)
