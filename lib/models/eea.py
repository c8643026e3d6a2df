"""Modality-transferable emotion embeddings (Dai et al., AACL-IJCNLP 2020, arXiv 2009.09629).

An utterance is scored against word vectors of the emotions, so an emotion without any training sample can be
scored too: it only needs a word vector. Section numbers are those of spec emotion_embeddings.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lib.errors import InputError
from lib.models.modality_rnn import Cell, Pooling, modality_rnn, ordered, pooled, present


class EEA(nn.Module):
    """EEA: one recurrent network per modality, dot products with emotion vectors, weighted sum (section 2).

    `sizes` gives the feature width of each modality that the model has a network for, and `modalities` those
    that are scored (all of them if None). The reference creates all three networks whatever it scores, so
    with the same seed every modality subset starts from the same weights; a text-only corpus simply has one
    entry in `sizes`.

    `emotion_vectors` `(emotions, width)` are word vectors and stay frozen: a buffer, which neither gradient
    nor weight decay can change. Text is scored against them directly, so `hidden["text"]` must equal their
    width (InputError otherwise; the reference fails there with its own default sizes). For audio and video an
    affine map takes them to that modality's hidden size. The fusion weights start at 1 / number of modalities
    and are learned without any constraint; with one modality they exist but are not used.

    Two directions are added, not concatenated. Where the reference squeezes a batch of one to `(emotions,)`,
    the logits keep their two axes. `pooling="final_states"` mends the last-step reading (section 2.3).
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        hidden: Mapping[str, int],
        emotion_vectors: Float[Tensor, "emotions width"] | Sequence[Sequence[float]],
        *,
        modalities: Sequence[str] | None = None,
        cell: Cell = "lstm",
        layers: int = 1,
        dropout: float = 0.1,
        bidirectional: bool = False,
        pooling: Pooling = "last_step",
    ):
        super().__init__()
        built = ordered(sizes)
        self.modalities = built if modalities is None else ordered(modalities)
        if not set(self.modalities) <= set(built):
            raise InputError(f"modalities {list(self.modalities)}, but features of {list(built)} only")
        vectors = torch.as_tensor(emotion_vectors, dtype=torch.get_default_dtype()).clone()
        width = vectors.shape[1]
        if "text" in self.modalities and hidden["text"] != width:
            raise InputError(
                f"hidden size {hidden['text']} of text, but emotion vectors of width {width}",
                todo="make them equal: the text score is their dot product",
            )
        self.pooling = pooling
        self.register_buffer("emotion_vectors", vectors)
        # The reference's order of construction, for equal initial weights under equal seeds.
        self.maps = nn.ModuleDict({m: nn.Linear(width, hidden[m]) for m in built if m != "text"})
        options = {"layers": layers, "dropout": dropout, "bidirectional": bidirectional}
        self.rnns = nn.ModuleDict({m: modality_rnn(cell, sizes[m], hidden[m], **options) for m in built})
        # A linear layer for the sake of its random draw, which the reference makes too and throws away.
        count = len(self.modalities)
        self.modality_weights = nn.Linear(count, 1, bias=False)
        self.modality_weights.weight = nn.Parameter(torch.full((count,), 1 / count))

    def set_emotions(self, emotion_vectors: Float[Tensor, "emotions width"]) -> None:
        """Score these emotions from now on; the logit of an emotion depends on its own vector only."""
        if emotion_vectors.ndim != 2 or emotion_vectors.shape[1] != self.emotion_vectors.shape[1]:
            raise InputError(
                f"emotion vectors of shape {tuple(emotion_vectors.shape)}",
                todo=f"give (emotions, {self.emotion_vectors.shape[1]})",
            )
        self.emotion_vectors = emotion_vectors.to(self.emotion_vectors).clone()

    def emotion_space(self, modality: str) -> Float[Tensor, "emotions hidden"]:
        """The emotion vectors as this modality sees them: as they are for text, mapped otherwise."""
        return self.emotion_vectors if modality == "text" else self.maps[modality](self.emotion_vectors)

    def encode(self, modality: str, x: Float[Tensor, "batch time features"]) -> Float[Tensor, "batch hidden"]:
        """The utterance in the same space, with the two directions added."""
        rnn = self.rnns[modality]
        return pooled(rnn, x, self.pooling).unflatten(-1, (rnn.directions, rnn.hidden_size)).sum(dim=-2)

    def scores(
        self,
        text: Float[Tensor, "batch time_text text"] | None = None,
        audio: Float[Tensor, "batch time_audio audio"] | None = None,
        video: Float[Tensor, "batch time_video video"] | None = None,
    ) -> Float[Tensor, "batch emotions modality"]:
        """Unnormalised dot products, by modality in the order text, audio, video."""
        features = present({"text": text, "audio": audio, "video": video}, self.modalities)
        return torch.stack([self.encode(m, x) @ self.emotion_space(m).T for m, x in features.items()], dim=-1)

    def forward(
        self,
        text: Float[Tensor, "batch time_text text"] | None = None,
        audio: Float[Tensor, "batch time_audio audio"] | None = None,
        video: Float[Tensor, "batch time_video video"] | None = None,
    ) -> Float[Tensor, "batch emotions"]:
        """Logits; features of modalities that are not scored may be left out and are ignored."""
        scores = self.scores(text, audio, video)
        if len(self.modalities) == 1:
            return scores.squeeze(-1)
        return scores @ self.modality_weights.weight
