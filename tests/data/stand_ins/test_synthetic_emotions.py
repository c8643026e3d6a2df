"""Stand-ins of the emotion corpora: labels, ceilings that are what they claim, and what a word vector tells."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from lib import data
from lib.data.stand_ins import synthetic_emotions
from lib.data.stand_ins.synthetic_emotions import CONTROL, IEMOCAP, KINDS, MOSEI, WIDTHS
from lib.data.word_vectors import emotion_vectors
from lib.errors import InputError

NAMES = tuple(KINDS)


def means(split, modality):
    """The mean over the real steps `(N, d)`."""
    return split.features[modality].sum(axis=1, dtype=np.float64) / split.lengths[:, None]


@pytest.mark.parametrize("name", NAMES)
def test_they_are_marked_and_have_the_shape_of_the_release(name):
    corpus = data.load(name, samples=200)
    assert corpus.source.synthetic
    assert corpus.modalities == WIDTHS
    assert {split: len(part) for split, part in corpus.splits.items()} == {"train": 120, "valid": 30, "test": 50}
    train = corpus.splits["train"]
    assert (train.lengths < 20).any()
    assert train.lengths.min() >= 8
    assert all(x.shape[1] == 20 for x in train.features.values())
    padded = np.arange(20) < 20 - train.lengths[:, None]
    assert all(((x == 0).all(axis=2) == padded).all() for x in train.features.values())


def test_mosei_like_is_multilabel_and_iemocap_like_exclusive():
    mosei, iemocap = (data.load(name, samples=2000).splits["train"].labels for name in NAMES)
    number = mosei.sum(axis=1)
    assert (number == 0).any()
    assert (number > 1).any()
    assert (iemocap.sum(axis=1) == 1).all()
    np.testing.assert_allclose(mosei.mean(axis=0), MOSEI.share, atol=0.05)
    np.testing.assert_allclose(iemocap.mean(axis=0), IEMOCAP.share, atol=0.05)


def test_same_seed_same_corpus_other_seed_another():
    first, again, other = (data.load(NAMES[0], samples=40, seed=seed).splits["test"] for seed in (0, 0, 1))
    for modality, x in first.features.items():
        np.testing.assert_array_equal(x, again.features[modality])
        assert (x != other.features[modality]).any()


@pytest.mark.parametrize("name", NAMES)
def test_a_control_changes_its_stored_vector_and_nothing_else(name):
    control = CONTROL[name]
    plain, controlled = (data.load(name, samples=40, **options) for options in ({}, {"control": control}))
    for modality, x in plain.splits["train"].features.items():
        np.testing.assert_array_equal(x, controlled.splits["train"].features[modality])
    assert control in controlled.source.warnings[-1]
    assert not any("control" in warning for warning in plain.source.warnings)
    stored = emotion_vectors(name, [control], control=control)[0]
    assert np.linalg.norm(stored) == pytest.approx(1, abs=1e-6)
    shown = synthetic_emotions.shown_vectors(KINDS[name].emotions)
    np.testing.assert_allclose(shown @ stored, 0, atol=1e-6)
    with pytest.raises(InputError, match="control 'joy' is not among"):
        data.load(name, samples=40, control="joy")


def best_decisions(kind, split, modalities):
    """Posterior of every emotion, one sample and one combination after the other, all steps spelled out."""
    found = np.zeros(split.labels.shape)
    for row, length in enumerate(split.lengths):
        weights = np.zeros(len(kind.combinations))
        for number, labels in enumerate(kind.combinations):
            log = np.log(kind.prior[number])
            for modality in modalities:
                channel, steps = kind.channels[modality], split.features[modality][row, -length:].astype(np.float64)
                centre = 2 * labels @ synthetic_emotions.shown_vectors(kind.emotions, modality)
                # covariance over steps of one feature: noise on the diagonal, the sample's error everywhere
                covariance = channel.noise**2 * np.eye(length) + channel.error**2
                away = steps - centre
                log -= (away * np.linalg.solve(covariance, away)).sum() / 2
            weights[number] = log
        weights = np.exp(weights - weights.max())
        found[row] = weights @ kind.combinations / weights.sum()
    return found


@pytest.mark.parametrize("modalities", [("text",), ("text", "audio", "video")])
def test_the_best_decision_scores_what_the_ceiling_says(modalities):
    corpus = data.load("iemocap_emotions_like", samples=2400)
    test = corpus.splits["test"]
    posterior = best_decisions(IEMOCAP, test, modalities)
    ceiling = corpus.source.ceilings["+".join(modalities)]
    right = (posterior > 0.5) == (test.labels == 1)
    assert right.mean() == pytest.approx(ceiling["acc"], abs=0.025)
    exclusive = (posterior.argmax(axis=1) == test.labels.argmax(axis=1)).mean()
    assert exclusive == pytest.approx(ceiling["acc_exclusive"], abs=0.04)
    auc = np.mean([roc_auc_score(y, p) for y, p in zip(test.labels.T, posterior.T, strict=True)])
    assert auc == pytest.approx(ceiling["auc"], abs=0.015)
    lifted = posterior > test.labels.mean(axis=0)
    shares = [(lifted[:, k][test.labels[:, k] == y] == y).mean() for k in range(4) for y in (0, 1)]
    assert np.mean(shares) == pytest.approx(ceiling["weighted_acc"], abs=0.03)


def test_the_closed_form_is_the_likelihood_of_all_steps():
    test = data.load("mosei_emotions_like", samples=60).splits["test"]
    likelihood = sum(
        synthetic_emotions.log_likelihood(MOSEI, m, means(test, m), test.lengths) for m in ("text", "video")
    )
    joint = np.exp(likelihood - likelihood.max(axis=1, keepdims=True)) * MOSEI.prior
    found = joint @ MOSEI.combinations / joint.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, best_decisions(MOSEI, test, ("text", "video")), atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_ceilings_grow_with_the_modalities_and_stay_below_one(name):
    ceilings = data.load(name, samples=40).source.ceilings
    for metric in ("acc", "weighted_acc", "auc"):
        grown = [ceilings[subset][metric] for subset in ("video", "text", "text+audio", "text+audio+video")]
        assert grown[0] > 0.5
        assert grown == sorted(grown)
        assert grown[-1] < 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("modality", WIDTHS)
def test_an_emotion_never_trained_on_is_told_by_its_vector(name, modality):
    """Least squares for the seen emotions, then from their vectors to the regression's rows."""
    corpus = data.load(name, samples=3000)
    train, test = corpus.splits["train"], corpus.splits["test"]
    vectors = emotion_vectors(name, corpus.label_names).astype(np.float64)
    found = []
    for unseen in range(len(vectors)):
        kept, seen = train.labels[:, unseen] == 0, np.arange(len(vectors)) != unseen
        x, y = means(train, modality)[kept], train.labels[kept][:, seen]
        rows = np.linalg.lstsq(x - x.mean(axis=0), y - y.mean(axis=0), rcond=None)[0].T
        to_rows = np.linalg.lstsq(vectors[seen], rows, rcond=None)[0]
        found.append(roc_auc_score(test.labels[:, unseen], means(test, modality) @ to_rows.T @ vectors[unseen]))
    assert np.mean(found) > 0.65


@pytest.mark.parametrize("name", NAMES)
def test_the_vector_of_a_control_tells_nothing(name):
    """Text shows the vectors as they are stored, so its projection on them needs no training at all."""
    corpus = data.load(name, samples=6000)
    text = np.vstack([means(split, "text") for split in corpus.splits.values()])
    labels = np.vstack([split.labels for split in corpus.splits.values()])
    control = CONTROL[name]
    vectors = emotion_vectors(name, corpus.label_names, control=control)
    told = {
        word: roc_auc_score(y, text @ vector)
        for word, y, vector in zip(corpus.label_names, labels.T, vectors, strict=True)
    }
    assert told.pop(control) == pytest.approx(0.5, abs=0.03)
    assert min(told.values()) > 0.6
