"""Which parameters of emotion embeddings are refused, and where each old flag has gone."""

from pathlib import Path

import pytest

from lib.errors import InputError
from lib.papers.emotion_embeddings import EmotionEmbeddings
from tests.papers.emotion_embeddings.test_emotion_embeddings import given


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"datasets": ["mosei_emotions", "iemocap_emotions_like"]}, "datasets mixes real corpora and stand-ins"),
        ({"samples": 0}, "samples must be positive for a stand-in"),
        ({"seeds": [1, 1]}, "seeds holds a value twice"),
        ({"models": ["ef_rnn"], "contrasts": []}, "an ablation needs the model eea"),
        ({"contrasts": [], "contrast_baselines": True}, "contrast_baselines needs a recurrent baseline"),
        (
            {"models": ["eea", "mult"], "contrasts": ["final_states"], "contrast_baselines": True},
            "contrast_baselines needs a recurrent baseline in models, in contrasts one of eea",
        ),
        ({"models": ["eea"], "contrasts": ["every_step_positions"]}, "every_step_positions is compared with mult"),
        ({"loss": "mse"}, "other_loss compares bce with soft_cross_entropy"),
        ({"datasets": ["meld_text"], "samples": 0}, "meld_text has text alone: set modalities to [text]"),
        ({"datasets": ["meld_text"], "samples": 0, "modalities": ["text"]}, "mult needs text, audio and video"),
        (
            {"datasets": ["ravdess"], "samples": 0},
            "ravdess has audio and video alone: set modalities to [audio, video]",
        ),
        ({"datasets": ["ravdess", "mosei_emotions"], "samples": 0}, "give it a run of its own"),
        (
            {"datasets": ["ravdess"], "samples": 0, "modalities": ["audio", "video"]},
            "mult needs text, audio and video; ravdess has audio and video alone",
        ),
        ({"corpus_options": {"control": "fear"}}, "corpus_options are those of one corpus"),
        (
            {"datasets": ["mosei_emotions_like"], "corpus_options": {"text": "glove"}},
            "corpus_options holds text, which another parameter sets",
        ),
        ({"hidden": {"text": 8, "audio": 4}}, "key 'hidden.video' is missing"),
        ({"models": ["albert"]}, "key 'models.0' = 'albert'"),
        ({"plateau_factor": 1.0}, "key 'plateau_factor' = 1.0"),
    ],
)
def test_impossible_parameters_are_refused(changes, message):
    with pytest.raises(InputError, match=r"^test: ") as caught:
        given(**changes)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("dataset", "modalities", "word"),
    [("meld_text", ["text"], "MELD"), ("ravdess", ["audio", "video"], "RAVDESS")],
)
def test_a_corpus_that_the_reference_does_not_know_needs_a_selection(dataset, modalities, word):
    changes = {"datasets": [dataset], "samples": 0, "modalities": modalities, "models": ["eea"], "contrasts": []}
    with pytest.raises(InputError, match=f"the reference has no {word}: set select_by"):
        given(**changes, ablation=False)
    assert given(**changes, ablation=False, select_by="weighted_acc").selection(dataset) == "weighted_acc"


def test_text_of_cmu_mosei_is_selected_as_cmu_mosei():
    changes = {"datasets": ["mosei_text"], "samples": 0, "modalities": ["text"], "models": ["eea"], "contrasts": []}
    assert given(**changes, ablation=False).selection("mosei_text") == "weighted_acc"


def test_the_flag_table_names_every_parameter():
    text = (Path(__file__).resolve().parents[3] / "docs" / "emotion_embeddings_flags.md").read_text(encoding="utf-8")
    own = set(EmotionEmbeddings.model_fields) - {"results", "cores", "samples"}
    assert {name for name in own if f"`{name}`" not in text and f"`{name}:" not in text} == set()
