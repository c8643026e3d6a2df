"""LMF over words, the bag of words beside it, and the complexity table."""

import os

import pandas as pd
import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap

from lib import data
from lib.models.low_rank import LMF
from lib.models.recurrent import stackable
from lib.models.word_fusion import WordLMF, WordTFN
from lib.papers import lmf_complexity, lmf_conclusions, lmf_reference


def test_a_learned_vocabulary_is_that_of_the_training_words():
    """The network over words equals the plain one on looked-up vectors, and padding stays zero."""

    sizes = {
        "input_sizes": {"audio": 3, "text": 4},
        "hidden_sizes": {"audio": 2, "video": 2, "text": 6},
        "dropouts": dict.fromkeys(("audio", "video", "text"), 0.0),
        "output_size": 1,
        "rank": 2,
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        words, plain = WordLMF(vocabulary=9, **sizes).eval(), LMF(**sizes).eval()
    plain.load_state_dict({k: v for k, v in words.state_dict().items() if not k.startswith("word_embedding")})
    numbers = torch.tensor([[0.0, 3.0, 8.0], [0.0, 0.0, 1.0]])[..., None]
    audio = torch.ones(2, 1, 3)
    vectors = torch.where(numbers == 0, 0.0, words.word_embedding.weight[numbers[..., 0].long()])
    torch.testing.assert_close(words(text=numbers, audio=audio), plain(text=vectors, audio=audio), rtol=0, atol=0)


def test_the_reference_point_of_the_standard_folds():

    if not os.environ.get("REPRISE_DATA"):
        pytest.skip("needs the public corpora: set REPRISE_DATA to their folder")
    table = lmf_reference.reference_table(data.load("mosi_words"), "", 20).set_index("model")
    best = table.loc[lmf_reference.REFERENCE]
    assert (round(best["mae"], 3), round(best["acc2_nonneg"], 3)) == (1.164, 0.688)


def test_sentences_about_the_reference_follow_the_numbers():
    reference = pd.DataFrame(
        {"model": [lmf_reference.REFERENCE, "short", "single", "mean"], "mae": [1.16, 1.18, 1.15, 1.46]}
    ).assign(acc2_nonneg=[0.69, 0.68, 0.7, 0.45])

    def about(low: float, high: float) -> str:
        row = {"variant": ["LMF"], "score": [(low + high) / 2], "t_interval_low": [low], "t_interval_high": [high]}
        scores = {"mae": pd.DataFrame(row), "acc2_nonneg": pd.DataFrame(row | {"score": [0.66]})}
        return lmf_conclusions.against_reference(reference, scores, 20)[1]

    assert about(1.2, 1.3).startswith("The bag of words is better by MAE. Of the difference of +0.090")
    assert "makes +0.020" in about(1.2, 1.3)
    assert "the other +0.100" in about(1.2, 1.3)
    assert about(1.0, 1.1).startswith("LMF is better")
    assert about(1.1, 1.2).startswith("The two are not told apart")


def test_weights_at_the_papers_sizes_are_those_counted_in_the_reference():
    """Spec lmf, section 3; its TFN counts hold two constants that are not trained."""
    table = lmf_complexity.complexity_table(repeats=1)
    assert list(table["weights"]) == [237_347, 2_503_061 - 2, 11_588_501 - 2]
    assert table["fusion_weights"].iloc[0] == 4 * (33 + 33 + 65) + 4 + 1
    assert (table[["train_samples_per_s", "test_samples_per_s"]] > 0).all(axis=None)


def test_networks_over_words_can_be_stacked():
    """A fleet trains several at once: gradients of a stack equal those of its members."""

    sizes = {
        "vocabulary": 7,
        "input_sizes": {"audio": 3, "text": 4},
        "hidden_sizes": {"audio": 2, "video": 2, "text": 4},
        "dropouts": dict.fromkeys(("audio", "video", "text", "fusion"), 0.0),
        "fusion_size": 3,
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        models = [WordTFN(**sizes).eval() for _ in range(2)]
        audio = torch.randn(2, 5, 1, 3)
    words = torch.randint(0, 7, (2, 5, 6, 1), generator=torch.Generator().manual_seed(0)).float()
    weights, buffers = stack_module_state(models)

    def forward(weights, buffers, audio, words):
        return functional_call(models[0], (weights, buffers), kwargs={"audio": audio, "text": words})

    with stackable():
        vmap(forward)(weights, buffers, audio, words).abs().sum().backward()
    stacked = weights["word_embedding.weight"].grad
    for i, model in enumerate(models):
        model(audio=audio[i], text=words[i]).abs().sum().backward()
        torch.testing.assert_close(stacked[i], model.word_embedding.weight.grad)
        assert not stacked[i][0].any(), "padding is not trained"
