"""The conversation stand-ins: what they look like, and that their ceilings are exact."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.stats import norm

from lib import data
from lib.data.corpus import SPLITS
from lib.data.stand_ins import synthetic_conversations as stand_in
from lib.data.stand_ins.synthetic_conversations import CUES, Cue


@pytest.mark.parametrize(
    ("name", "longest", "speakers"), [("iemocap_conversations_like", 16, 2), ("meld_conversations_like", 16, 8)]
)
def test_a_stand_in_is_a_labelled_conversation_corpus(name, longest, speakers):
    corpus = data.load(name, samples=50, expected_from=20)
    assert corpus.source.synthetic
    assert corpus.source.label.endswith("SYNTHETIC stand-in")
    assert corpus.modalities == {m: cue.width for m, cue in CUES.items()}
    assert [len(corpus.splits[part]) for part in SPLITS] == [36, 4, 10]
    found = np.concatenate([split.speakers[split.speakers >= 0] for split in corpus.splits.values()])
    assert set(found) == set(range(speakers))
    lengths = np.concatenate([split.lengths for split in corpus.splits.values()])
    assert lengths.max() <= longest
    assert (lengths == 1).any() == name.startswith("meld")


def test_a_stand_in_is_repeatable_and_its_development_set_follows_the_seed():
    options = {"samples": 40, "expected_from": 5}
    first, again = (data.load("iemocap_conversations_like", **options) for _ in range(2))
    np.testing.assert_array_equal(first.splits["test"].features["text"], again.splits["test"].features["text"])
    other = data.load("iemocap_conversations_like", split_seed=1, **options)
    assert other.splits["test"].ids == first.splits["test"].ids
    assert other.splits["valid"].ids != first.splits["valid"].ids
    assert set(other.splits["valid"].ids) | set(other.splits["train"].ids) == set(first.splits["valid"].ids) | set(
        first.splits["train"].ids
    )
    different = data.load("iemocap_conversations_like", seed=1, **options)
    assert different.splits["test"].labels.shape != first.splits["test"].labels.shape or not np.array_equal(
        different.splits["test"].labels, first.splits["test"].labels
    )


def test_likelihoods_are_those_of_the_mixture():
    cue = Cue(3, 0.7, 2.0, 0.5)
    rng = np.random.default_rng(0)
    vectors, x = rng.normal(size=(4, 3)), rng.normal(size=(6, 3))
    density = norm.pdf(x[:, None], vectors, cue.noise).prod(-1)
    expected = cue.reliability * density + (1 - cue.reliability) * density.mean(1, keepdims=True)
    found = stand_in.log_likelihood(x, vectors, cue)
    np.testing.assert_allclose(found - found[:, :1], np.log(expected / expected[:, :1]), rtol=1e-9, atol=1e-9)


def test_the_posterior_is_that_of_all_label_sequences():
    """Summed over every sequence of labels of a short dialogue with two interleaved speakers."""
    rng, prior, stay = np.random.default_rng(1), np.array([0.5, 0.3, 0.2]), 0.6
    told, who = rng.normal(size=(5, 3)), np.array([0, 1, 0, 0, 1])
    expected = np.zeros((5, 3))
    for labels in product(range(3), repeat=5):
        weight, last = np.exp(told[np.arange(5), labels].sum()), {}
        for speaker, label in zip(who, labels, strict=True):
            drawn = prior[label]
            weight *= drawn if speaker not in last else stay * (last[speaker] == label) + (1 - stay) * drawn
            last[speaker] = label
        expected[np.arange(5), labels] += weight
    expected /= expected.sum(1, keepdims=True)
    np.testing.assert_allclose(stand_in.posterior(told, who, prior, stay), expected, rtol=1e-9)


def test_ceilings_rise_with_modalities_and_context_and_the_imbalance_is_as_declared():
    corpus = data.load("iemocap_conversations_like", samples=40)
    best = {subset: found["acc"] for subset, found in corpus.source.ceilings.items()}
    assert len(best) == 7
    assert best["text"] > best["audio"] + 0.1
    assert best["text"] > best["video"] + 0.1
    for subset, acc in best.items():
        bigger = [other for other in best if set(subset.split("+")) < set(other.split("+"))]
        assert all(best[other] > acc for other in bigger)
        assert acc > corpus.source.ceilings[subset]["acc without context"]


def test_cues_control_the_imbalance():
    silent = CUES | {"audio": replace(CUES["audio"], reliability=1e-9)}
    options = {"samples": 30, "expected_from": 60}
    ceilings = data.load("meld_conversations_like", cues=silent, **options).source.ceilings
    assert ceilings["text+audio"]["acc"] == pytest.approx(ceilings["text"]["acc"], abs=1e-6)
    forgetful = data.load("meld_conversations_like", stay=0.0, **options).source.ceilings
    assert forgetful["text"]["acc"] == pytest.approx(forgetful["text"]["acc without context"], abs=1e-9)
