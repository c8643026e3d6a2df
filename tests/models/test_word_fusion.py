"""The fusions over words that are numbers."""

import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap

from lib.models.low_rank import LMF
from lib.models.recurrent import stackable
from lib.models.word_fusion import WordConcatenation, WordLMF, WordTFN


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


@pytest.mark.parametrize("network", [WordTFN, WordConcatenation])
def test_networks_over_words_can_be_stacked(network):
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
        models = [network(**sizes).eval() for _ in range(2)]
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
