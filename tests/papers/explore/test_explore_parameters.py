"""The explorer's parameters: what fits together, and what is refused with the values that would fit."""

import pytest

from lib import data, params
from lib.errors import InputError
from lib.papers.explore import CONVERSATION, CORPORA, SINGLE, Explore, models_of

GIVEN = {
    "samples": 60,
    "dataset": "iemocap_conversations_like",
    "model": "late_fusion",
    "modalities": ["text", "audio", "video"],
    "epochs": 2,
    "batch_size": 8,
    "learning_rate": 0.01,
    "seeds": [0, 1],
    "results": "results/x",
}


def given(**changes) -> Explore:
    return params.check(Explore, GIVEN | changes, where="test")


def test_every_corpus_is_known_to_the_loader_and_has_models():
    for name in CORPORA:
        data.reader_module(name)
        assert models_of(name) in (SINGLE, CONVERSATION)
    assert given().kind == "conversation"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "lmf"}, "lmf does not fit iemocap_conversations_like; models that do: late_fusion, mmgcn"),
        ({"dataset": "mosi_like"}, "late_fusion does not fit mosi_like; models that do: ef_lstm, mfn, lmf, tfn"),
        ({"dropout_rate": 0.5}, "modality dropout is not defined for conversations"),
        (
            {"dataset": "mosi_like", "model": "mfn", "curriculum": {"threshold": 0.4, "growth": 1.2}},
            "a curriculum needs a model of conversations; mfn is none",
        ),
        ({"modalities": ["text"], "curriculum": {"threshold": 0.4, "growth": 1.2}}, "need at least two"),
        ({"modalities": ["text"], "model": "mm_dfn"}, "need at least two"),
        (
            {"dataset": "ravdess", "samples": 0, "model": "mfn", "modalities": ["text", "audio"]},
            "no modality text in ravdess; there are: audio, video",
        ),
        ({"modalities": ["text", "text"]}, "modalities holds a value twice"),
        ({"modalities": []}, "key 'modalities'"),
        ({"seeds": [1, 1]}, "seeds holds a value twice"),
        ({"samples": 0}, "samples must be positive for a stand-in corpus"),
        ({"dataset": "mosi_conversations"}, "samples must be positive for a stand-in corpus"),
        ({"hidden": 7}, "key 'hidden' = 7"),
        ({"curriculum": {"threshold": 0.0, "growth": 1.2}}, "selects nothing"),
        (
            {"dataset": "mosi_like", "model": "mfn", "modalities": ["text"], "dropout_rate": 0.5},
            "no chosen modality is in `dropped`",
        ),
        ({"epoch": 3}, "unknown key 'epoch'; did you mean 'epochs'?"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, message):
    with pytest.raises(InputError) as caught:
        given(**changes)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
