"""The dense end-to-end emotion model (FE2E of Dai et al., NAACL 2021; `mme2e` in its code).

Spec end_to_end, section 5.

Sizes of a batch: `batch` utterances; `frames` face crops and `pieces` spectrogram pieces, those of all
utterances one after another, with the number per utterance in `video_lengths` and `audio_lengths`. Attribute
names are the reference's, so its checkpoints load.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor, nn

from lib.models.albert import Albert
from lib.models.read_rows import FIRST
from lib.models.sequence_encoder import SequenceEncoder, pad_ragged
from lib.models.vgg_block import dense_cnn

MODALITIES = ("text", "audio", "video")
FUSION_ORDER = ("text", "video", "audio")  # of the fusion weights; the baselines have another (quirk Q7)
FACE = (48, 48)
PIECE = (128, 32)
FACE_MEAN = (159.0, 111.0, 102.0)
FACE_DEVIATION = (37.0, 33.0, 32.0)
REDUCTION = 16  # both CNNs divide height and width by it


def checked_modalities(modalities: Sequence[str]) -> tuple[str, ...]:
    """The modalities without repetition. Raises ValueError for none or an unknown one."""
    unknown = [m for m in modalities if m not in MODALITIES]
    if unknown or not modalities or len(set(modalities)) != len(modalities):
        raise ValueError(f"modalities {list(modalities)}; use different ones of {', '.join(MODALITIES)}")
    return tuple(modalities)


def standardised_faces(faces: Num[Tensor, "frames height width 3"], dtype: torch.dtype) -> Tensor:
    """RGB values 0...255 of any number type to `(frames, 3, height, width)`, standardised per channel."""
    mean, deviation = (torch.tensor(v, dtype=dtype, device=faces.device) for v in (FACE_MEAN, FACE_DEVIATION))
    # Contiguous as in the reference: channels last, the CPU's convolutions round differently (2e-5 in an output).
    return ((faces.to(dtype) - mean) / deviation).permute(0, 3, 1, 2).contiguous()


class TextEncoder(nn.Module):
    """ALBERT's last hidden state at the first token."""

    def __init__(self, albert: Mapping[str, int | float | str]):
        super().__init__()
        self.albert = Albert(**albert)

    def forward(self, tokens: Tensor, mask: Tensor, types: Tensor | None) -> Float[Tensor, "batch hidden"]:
        return self.albert(tokens, mask, types, rows=FIRST)[:, 0]


class MME2E(nn.Module):
    """Text, face crops and spectrogram pieces to logits, all encoders trained together.

    `albert` holds the arguments of `lib.models.albert.Albert`. `channels` are the widths of the CNNs,
    `flatten_size` the hidden layer behind them, `width`, `layers` and `heads` those of the two sequence
    encoders. Branches of modalities that are not used are built all the same and get no gradient. Training
    batches are ragged, so this model cannot be stacked into a fleet.
    """

    stackable = False

    def __init__(
        self,
        albert: Mapping[str, int | float | str],
        emotions: int = 6,
        modalities: Sequence[str] = MODALITIES,
        channels: Sequence[int] = (64, 128, 256, 512),
        flatten_size: int = 1024,
        width: int = 64,
        layers: int = 4,
        heads: int = 4,
        dropout: float = 0.1,
    ):
        super().__init__()
        self.modalities = checked_modalities(modalities)
        self.T = TextEncoder(albert)
        self.text_size = self.T.albert.hidden_size
        self.V = self._cnn(3, channels)
        self.A = self._cnn(1, channels)
        self.v_flatten = _flatten_layers(FACE, channels[-1], flatten_size, width)
        self.a_flatten = _flatten_layers(PIECE, channels[-1], flatten_size, width)
        self.v_transformer = SequenceEncoder(width, layers, heads, dropout=dropout)
        self.a_transformer = SequenceEncoder(width, layers, heads, dropout=dropout)
        self.t_out = nn.Linear(self.text_size, emotions)
        self.v_out = nn.Linear(width, emotions)
        self.a_out = nn.Linear(width, emotions)
        self.weighted_fusion = nn.Linear(len(self.modalities), 1, bias=False)

    def forward(
        self,
        text: Int[Tensor, "batch tokens"] | None = None,
        text_mask: Int[Tensor, "batch tokens"] | None = None,
        text_types: Int[Tensor, "batch tokens"] | None = None,
        audio: Float[Tensor, "pieces 1 128 32"] | None = None,
        audio_lengths: Int[Tensor, " batch"] | None = None,
        video: Num[Tensor, "frames 48 48 3"] | None = None,
        video_lengths: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch emotions"]:
        """Logits. Inputs of modalities that the model does not use may be left out.

        `text` holds token ids, `audio` power mel spectrograms, `video` RGB crops with values 0...255.
        """
        vectors = {}
        if "text" in self.modalities:
            vectors["text"] = self.T(text, text_mask, text_types)
        if "video" in self.modalities:
            faces = standardised_faces(video, self.v_out.weight.dtype)
            maps = self._maps(self.V, faces, video_lengths, vectors)
            vectors["video"] = self._utterances(self.v_flatten, self.v_transformer, maps, video_lengths)
        if "audio" in self.modalities:
            maps = self._maps(self.A, audio, audio_lengths, vectors)
            vectors["audio"] = self._utterances(self.a_flatten, self.a_transformer, maps, audio_lengths)
        heads = {"text": self.t_out, "video": self.v_out, "audio": self.a_out}
        logits = [heads[m](vectors[m]) for m in FUSION_ORDER if m in vectors]
        if len(logits) == 1:
            return logits[0]
        return self.weighted_fusion(torch.stack(logits, dim=-1)).squeeze(-1)

    def text_parameters(self) -> list[tuple[str, nn.Parameter]]:
        """Those with a learning rate of their own in the reference: text encoder and text output layer."""
        return [(name, p) for name, p in self.named_parameters() if name.startswith(("T.", "t_out."))]

    def _cnn(self, in_channels: int, channels: Sequence[int]) -> nn.Module:
        return dense_cnn(in_channels, channels)

    def _maps(self, cnn: nn.Module, x: Tensor, lengths: Tensor, vectors: dict[str, Tensor]) -> Tensor:
        """Feature maps `(frames, channels, height, width)` of faces or pieces."""
        return cnn(x)

    def _utterances(self, flatten: nn.Module, encoder: nn.Module, maps: Tensor, lengths: Tensor) -> Tensor:
        return encoder(pad_ragged(flatten(maps.flatten(1)), lengths), lengths.to(maps.device))


def _flatten_layers(image: tuple[int, int], channels: int, hidden: int, width: int) -> nn.Sequential:
    sites = (image[0] // REDUCTION) * (image[1] // REDUCTION)
    return nn.Sequential(nn.Linear(channels * sites, hidden), nn.ReLU(), nn.Linear(hidden, width))
