"""Sequences reduced to the vectors that LMF reads, and a corpus without one of its labels."""

import numpy as np
import pytest

from lib.data.arrays.lmf_inputs import averaged, without_label
from lib.data.arrays.mfn_h5 import POM
from tests.data.samples import mfn_corpus


def test_audio_and_video_become_means_over_all_steps_padding_included():
    corpus = mfn_corpus(POM, ("audio", "video"), steps=5)
    found = averaged(corpus, ("audio",))
    for name, split in corpus.splits.items():
        audio = split.features["audio"]
        assert (split.lengths < 5).any(), "some are padded"
        np.testing.assert_allclose(found.splits[name].features["audio"][:, 0], audio.sum(axis=1) / 5, rtol=1e-6)
        np.testing.assert_array_equal(found.splits[name].features["video"], split.features["video"])
        assert found.splits[name].ids == split.ids


def test_a_label_column_goes_by_name():
    corpus = mfn_corpus(POM, ("audio",))
    found = without_label(corpus, "Sentiment")
    assert len(found.label_names) == 16
    assert "Sentiment" not in found.label_names
    kept = [column for column in range(17) if column != 14]
    for name, split in corpus.splits.items():
        np.testing.assert_array_equal(found.splits[name].labels, split.labels[:, kept])


def test_an_unknown_label_changes_nothing_silently():
    corpus = mfn_corpus(POM, ("audio",))
    with pytest.raises(ValueError, match="no label 'Happy'"):
        without_label(corpus, "Happy")
