"""Stand-ins in the layout of the LMF pickles: real format, labelled, repeatable, ceilings that are what they claim."""

import numpy as np
import pytest

from lib import data
from lib.data.arrays.lmf_pickles import IEMOCAP, POM
from lib.data.stand_ins import synthetic_lmf
from lib.data.stand_ins.synthetic_lmf import EMOTION_PRIOR, EMOTIONS

NAMES = ("mosi_lmf_like", "pom_lmf_like", "iemocap_lmf_like")


@pytest.mark.parametrize("name", NAMES)
def test_they_go_through_the_pickle_and_say_that_they_are_synthetic(name):
    source = data.load(name, samples=120).source
    assert source.synthetic
    assert source.label.endswith("SYNTHETIC stand-in")
    assert source.warnings[0].startswith("SYNTHETIC")
    assert list(source.files) == [f"lmf/{name.split('_')[0]}.pkl"]
    assert set(source.ceilings) == {"text", "text+audio+video"}


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_corpus_other_seed_another(name):
    first, again, other = (data.load(name, samples=120, seed=seed) for seed in (0, 0, 1))
    for split in first.splits:
        for modality, features in first.splits[split].features.items():
            assert np.array_equal(features, again.splits[split].features[modality])
            assert not np.array_equal(features, other.splits[split].features[modality])


def test_sizes_are_those_of_the_release():
    mosi = data.load("mosi_lmf_like", samples=2199)
    assert {name: len(split) for name, split in mosi.splits.items()} == {"train": 1284, "valid": 229, "test": 686}
    assert mosi.splits["test"].features["text"].shape == (686, 20, 300)
    assert mosi.splits["test"].features["audio"].shape == (686, 1, 74)
    pom = data.load("pom_lmf_like", samples=903)
    assert {name: len(split) for name, split in pom.splits.items()} == {"train": 600, "valid": 100, "test": 203}
    assert pom.label_names == POM.layouts[0]
    assert pom.splits["train"].labels.shape == (600, 16)
    assert pom.splits["train"].labels.min() >= 1
    assert pom.splits["train"].labels.max() <= 7


def test_padding_stands_where_the_release_has_it():
    for name, column in (("mosi_lmf_like", 0), ("iemocap_lmf_like", -1)):
        real = (data.load(name, samples=120).splits["train"].features["text"] != 0).any(axis=2)
        assert not real[:, column].all(), "some are padded on this side"
        assert real[:, -1 - column].all(), "none on the other"


def test_the_four_emotions_share_their_features_and_differ_in_labels():
    corpora = [data.load("iemocap_lmf_like", samples=400, label=emotion) for emotion in IEMOCAP.emotions]
    labels = np.stack([corpus.splits["train"].labels for corpus in corpora])
    assert (labels.sum(axis=0) == 1).all()
    for corpus in corpora[1:]:
        np.testing.assert_array_equal(
            corpus.splits["test"].features["text"], corpora[0].splits["test"].features["text"]
        )
    shares = labels.mean(axis=1)
    np.testing.assert_allclose(shares, EMOTION_PRIOR, atol=0.08)


@pytest.mark.parametrize("emotion", range(4))
def test_the_emotion_ceiling_is_what_bayes_rule_scores(emotion):
    rng = np.random.default_rng(0)
    truth = rng.choice(4, size=40_000, p=EMOTION_PRIOR)
    cues = {}
    for modality, channel in EMOTIONS.items():
        cues[modality] = np.where(rng.random(len(truth)) >= channel.error, truth, rng.integers(4, size=len(truth)))
    told = synthetic_lmf.emotion_posterior(cues)[:, emotion] > 0.5
    found = np.mean(told == (truth == emotion))
    assert found == pytest.approx(synthetic_lmf.emotion_ceiling(tuple(EMOTIONS), emotion), abs=0.008)


@pytest.mark.parametrize("name", NAMES)
def test_more_modalities_reach_further(name):
    ceilings = data.load(name, samples=200).source.ceilings
    for metric, sign in (("mae", -1), ("acc", 1), ("acc2_nonneg", 1)):
        if metric in ceilings["text"]:
            assert sign * ceilings["text+audio+video"][metric] > sign * ceilings["text"][metric]


def test_the_test_set_ceiling_agrees_with_the_expected_one():
    ceilings = data.load("mosi_lmf_like", samples=4000).source.ceilings
    for best in ceilings.values():
        assert best["mae, this test set"] == pytest.approx(best["mae"], rel=0.06)
        assert best["acc2_nonneg, this test set"] == pytest.approx(best["acc2_nonneg"], abs=0.025)


def test_no_linear_model_beats_the_ceiling_and_a_good_one_comes_near():
    """Ridge regression on everything a network sees: it is nearly the least-squares reading, so it must come close."""
    from sklearn.linear_model import Ridge

    corpus = data.load("mosi_lmf_like", samples=4000)
    best = corpus.source.ceilings["text+audio+video"]["mae, this test set"]

    def seen(split):
        parts = corpus.splits[split]
        text = parts.features["text"].sum(axis=1) / parts.lengths[:, None]
        return np.hstack([text, parts.features["audio"][:, 0], parts.features["video"][:, 0]])

    model = Ridge(alpha=3.0).fit(seen("train"), corpus.splits["train"].labels)
    mae = np.abs(model.predict(seen("test")) - corpus.splits["test"].labels).mean()
    assert best < mae < 1.2 * best
