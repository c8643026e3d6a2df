"""The fusions over words: a learned embedding before the text network, as in Keras (spec low_rank_fusion, 2.2)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lib.models.concatenation import Concatenation
from lib.models.fusion_encoders import FusionEncoders
from lib.models.low_rank import LMF
from lib.models.tensor_fusion import TFN

INITIAL_SPREAD = 0.3  # about that of the numbers in 300-d GloVe vectors


class WordEmbedding(FusionEncoders):
    """Mixin: text arrives as word numbers; number 0 is padding and is read as a zero vector.

    `vocabulary` counts the numbers, padding included; `input_sizes["text"]` is the width of the learned vectors.
    """

    def __init__(self, vocabulary: int, **fusion):
        super().__init__(**fusion)
        self.word_embedding = nn.Embedding(vocabulary, fusion["input_sizes"]["text"])
        with torch.no_grad():
            self.word_embedding.weight.mul_(INITIAL_SPREAD)

    def encode(
        self,
        audio: Float[Tensor, "batch *one audio"] | None,
        video: Float[Tensor, "batch *one video"] | None,
        text: Float[Tensor, "batch time 1"] | None,
    ) -> dict[str, Float[Tensor, "batch hidden"]]:
        """As in `FusionEncoders`, after looking the words up."""
        # a mask and not `padding_idx`, whose gradient vmap computes as if there were none
        vectors = None if text is None else self.word_embedding(text[..., 0].long()) * (text != 0)
        return super().encode(audio, video, vectors)


class WordLMF(WordEmbedding, LMF):
    """`LMF` over word numbers."""


class WordTFN(WordEmbedding, TFN):
    """`TFN` over word numbers."""


class WordConcatenation(WordEmbedding, Concatenation):
    """`Concatenation` over word numbers."""
