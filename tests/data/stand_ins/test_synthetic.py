"""Stand-in corpora: labelled as such, repeatable, and with ceilings that are what they claim."""

import numpy as np
import pytest

from lib import data
from lib.data.iemocap.iemocap_dictionaries import LABELS
from lib.data.io.cache import cache_root
from lib.data.stand_ins import synthetic


def test_they_say_that_they_are_synthetic():
    for name in ("iemocap_like", "mosi_like"):
        source = data.load(name, samples=80).source
        assert source.synthetic
        assert source.label.endswith("SYNTHETIC stand-in")
        assert source.files, "a stand-in goes through real files"


@pytest.mark.parametrize("name", ["iemocap_like", "mosi_like"])
def test_same_seed_same_corpus_other_seed_another(name):
    first, again, other = (data.load(name, samples=80, seed=seed) for seed in (0, 0, 1))
    for split in first.splits:
        for modality, features in first.splits[split].features.items():
            assert np.array_equal(features, again.splits[split].features[modality])
            assert not np.array_equal(features, other.splits[split].features[modality])


def test_sizes_and_widths_are_those_of_the_real_corpora():
    iemocap = data.load("iemocap_like", samples=160, steps=6)
    assert dict(iemocap.modalities) == {"text": 300, "audio": 80, "video": 310}
    assert {name: len(split) for name, split in iemocap.splits.items()} == {"train": 120, "valid": 20, "test": 20}
    assert iemocap.label_names == LABELS
    mosi = data.load("mosi_like", samples=2199, steps=20)
    assert dict(mosi.modalities) == {"text": 300, "audio": 5, "video": 20}
    assert {name: len(split) for name, split in mosi.splits.items()} == {"train": 1284, "valid": 229, "test": 686}
    assert mosi.splits["train"].features["text"].shape == (1284, 20, 300)


def test_padding_is_in_front_and_lengths_vary():
    train = data.load("mosi_like", samples=200).splits["train"]
    for features in train.features.values():
        real = (features != 0).any(axis=2)
        assert (np.diff(real.astype(int), axis=1) >= 0).all()
        assert np.array_equal(real.sum(axis=1), train.lengths)
    assert set(train.lengths) == set(range(10, 21))


def test_class_balance_is_the_published_one():
    labels = synthetic.iemocap_like(20_000, seed=3, steps=1).labels
    shares = np.bincount(labels, minlength=len(LABELS)) / len(labels)
    assert np.abs(shares - synthetic.CLASS_PRIOR).max() < 0.01


@pytest.mark.parametrize("subset", list(synthetic.SUBSETS))
def test_class_ceiling_is_what_bayes_rule_scores(subset):
    modalities = synthetic.SUBSETS[subset]
    drawn = synthetic.iemocap_like(20_000, seed=4, steps=1)
    best = synthetic.class_posterior({m: drawn.told[m] for m in modalities}).argmax(axis=1)
    assert np.mean(best == drawn.labels) == pytest.approx(synthetic.class_ceiling(modalities)["acc"], abs=0.012)


def test_a_class_cue_is_read_without_error():
    """The ceiling rests on this: the nearest class vector is the cue that was shown."""
    drawn = synthetic.iemocap_like(3000, seed=5, steps=4)
    for modality, features in drawn.features.items():
        lengths = (features != 0).any(axis=2).sum(axis=1)
        means = features.sum(axis=1) / lengths[:, None]
        cues = drawn.told[modality]
        centres = np.stack(
            [means[cues == c].mean(axis=0) if (cues == c).any() else means[0] * np.inf for c in range(9)]
        )
        distance = ((means[:, None, :] - centres[None]) ** 2).sum(axis=2)
        assert (np.nanargmin(distance, axis=1) == cues).all()


@pytest.mark.parametrize("subset", list(synthetic.SUBSETS))
def test_sentiment_ceiling_is_what_the_posterior_scores_and_no_rule_of_thumb_beats_it(subset):
    modalities = synthetic.SUBSETS[subset]
    drawn = synthetic.mosi_like(6000, seed=6, steps=20)
    told, variance = ({m: part[m] for m in modalities} for part in (drawn.told, drawn.variance))
    median, positive = synthetic.best_sentiment(told, variance)
    ceiling = synthetic.sentiment_ceiling(modalities, steps=20)
    mae = np.abs(median - drawn.labels).mean()
    assert mae == pytest.approx(ceiling["mae"], rel=0.04)
    assert np.mean(positive == (drawn.labels >= 0)) == pytest.approx(ceiling["acc2_nonneg"], abs=0.015)
    unweighted = np.mean([told[m] for m in modalities], axis=0).clip(-3, 3)
    assert np.abs(unweighted - drawn.labels).mean() > mae


def test_the_test_set_has_its_own_ceiling():
    ceilings = data.load("iemocap_like", samples=400).source.ceilings
    assert set(ceilings["text"]) == {"acc", "acc, this test set"}
    assert ceilings["text"]["acc"] < ceilings["text+audio+video"]["acc"]


def test_a_damaged_stand_in_is_written_anew():
    before = data.load("mosi_like", samples=80)
    for path in cache_root().rglob("X_train.h5"):
        path.write_bytes(b"broken")
    again = data.load("mosi_like", samples=80)
    assert np.array_equal(before.splits["train"].labels, again.splits["train"].labels)


def test_the_session_split_works_on_the_stand_in():
    corpus = data.load("iemocap_like", samples=100, split="session")
    sessions = {name: {key[:5] for key in split.ids} for name, split in corpus.splits.items()}
    assert sessions == {"train": {"Ses01", "Ses02", "Ses03"}, "valid": {"Ses04"}, "test": {"Ses05"}}
