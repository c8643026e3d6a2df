"""What `benchmarks.growth` trains: every family at small widths, by sequence length, samples or dialogue length."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from benchmarks import conversations, end_to_end
from benchmarks.cases import BLOCKS
from benchmarks.speed import loop_epoch
from lib.data.batches import Examples
from lib.models.mme2e import MME2E
from lib.papers.self_paced_balance import study as self_paced
from lib.training.losses import Loss
from lib.training.recipe import Member, ModelSpec, Recipe

Epoch = Callable[[], object]
WIDTHS = {"text": 12, "audio": 8, "video": 10}
SIXTEEN = dict.fromkeys(WIDTHS, 16)
CLASSES = 4
STEPS = 20
"""Of a sample, where the number of samples grows."""
UTTERANCES = 10
"""Of a dialogue, where the number of dialogues grows."""
NARROW = {"global_size": 16, "party_size": 16, "emotion_size": 16, "graph_hidden": 16}


@dataclass(frozen=True)
class Family:
    """An architecture over samples in memory. `minibatch` is of growing sequences, small where attention is large.

    `targets` is "number" `(N,)`, "class" `(N,)` or "emotions" `(N, CLASSES)`. With `vectors`, audio and video are one
    vector per sample; with `lengths`, they come with their numbers of steps.
    """

    model: ModelSpec
    targets: str
    minibatch: int = 16
    vectors: bool = False
    lengths: bool = False

    @property
    def loss(self) -> Loss:
        return {"number": "l1", "class": "cross_entropy", "emotions": "bce"}[self.targets]

    def split(self, samples: int, steps: int) -> Examples:
        """Standard normal features; the time that training takes does not depend on them."""
        generator = torch.Generator().manual_seed(0)
        inputs = {
            m: torch.randn(samples, 1 if self.vectors and m != "text" else steps, width, generator=generator)
            for m, width in WIDTHS.items()
        }
        if self.lengths:
            inputs |= {f"{m}_lengths": torch.full((samples,), steps) for m in WIDTHS}
        labels = torch.arange(samples) % CLASSES
        targets = {"number": labels.float(), "class": labels, "emotions": torch.eye(CLASSES)[labels]}
        return Examples(inputs, targets[self.targets])

    def epoch(self, samples: int, steps: int, minibatch: int) -> Epoch:
        """Training on the samples and validation on at most 64, once more at every call."""
        recipe = Recipe(loss=self.loss, epochs=1, batch_size=minibatch, learning_rate=0.001)
        splits = {"train": self.split(samples, steps), "valid": self.split(min(samples, 64), steps)}
        fed = tuple(splits["train"].inputs)
        return loop_epoch(Member("growth", 0, self.model, recipe, train_on=fed, evaluate_on=fed), splits)


def _recurrent(name: str, hidden: object, **options: object) -> ModelSpec:
    return ModelSpec(name, {"sizes": WIDTHS, "hidden": hidden, **options})


_FUSED = {"input_sizes": WIDTHS, "hidden_sizes": dict.fromkeys(WIDTHS, 8)}
_FUSED |= {"dropouts": dict.fromkeys((*WIDTHS, "fusion"), 0.1)}
_MFN = {"features": WIDTHS, "hidden": SIXTEEN, "memory": 16}
_MFN |= {"widths": dict.fromkeys(BLOCKS, 16), "dropouts": dict.fromkeys(BLOCKS, 0.1)}
_ATTENTION = {"sizes": WIDTHS, "classes": CLASSES, "width": 16, "heads": 2, "layers": 1}
_EARLY = _ATTENTION | {"feedforward": 16, "head_hidden": 16}
_VECTORS = [[float(i == j) for j in range(16)] for i in range(CLASSES)]

FAMILIES = {
    "MFN": Family(ModelSpec("mfn:MFN", _MFN), "number"),
    "EF-LSTM": Family(
        ModelSpec("ef_lstm:EFLSTM", {"features": WIDTHS, "hidden": 16, "outputs": 1, "dropout": 0.1}), "number"
    ),
    "biEFLSTM": Family(
        ModelSpec("ef_lstm:BiEFLSTM", {"features": WIDTHS, "hidden": 16, "classes": CLASSES, "dropout": 0.1}), "class"
    ),
    "LMF": Family(ModelSpec("low_rank:LMF", _FUSED | {"output_size": 1, "rank": 4}), "number", vectors=True),
    "TFN": Family(ModelSpec("tensor_fusion:TFN", _FUSED | {"fusion_size": 8}), "number", vectors=True),
    "EEA": Family(_recurrent("eea:EEA", SIXTEEN, emotion_vectors=_VECTORS, layers=2, bidirectional=True), "emotions"),
    "LF baseline": Family(_recurrent("recurrent_baselines:LateFusionRNN", SIXTEEN, classes=CLASSES), "emotions"),
    "selective baseline": Family(_recurrent("recurrent_baselines:TextSelectiveRNN", 16, classes=CLASSES), "emotions"),
    "EF transformer": Family(ModelSpec("early_fusion_transformer:EarlyFusionTransformer", _EARLY), "emotions"),
    "EF transformer over time": Family(
        ModelSpec("early_fusion_transformer:EarlyFusionTransformer", _EARLY | {"attention_axis": "time"}),
        "emotions",
        minibatch=4,
    ),
    "MulT": Family(ModelSpec("mult:MulT", _ATTENTION), "emotions", minibatch=4),
    "LF-RNN": Family(
        ModelSpec("handcrafted_baselines:LFRNN", {"sizes": WIDTHS, "emotions": CLASSES}), "emotions", lengths=True
    ),
    "LF-Transformer": Family(
        ModelSpec("handcrafted_baselines:LFTransformer", {"sizes": WIDTHS, "emotions": CLASSES, "layers": 2}),
        "emotions",
        minibatch=4,
        lengths=True,
    ),
}
"""Over samples in memory, by name; the papers' architectures at widths of about 16."""

QUADRATIC = {"EF transformer over time", "MulT", "LF-Transformer", "MME2E"}
"""Whose steps attend to each other. The others read a sequence once."""
BACKBONES = (*conversations.BACKBONES, "late_fusion")


def of_length(name: str, steps: int) -> Epoch:
    """Four minibatches whose samples have `steps` steps; of MME2E a step on two utterances of as many tokens, faces and
    spectrogram pieces."""
    if name == "MME2E":
        return _end_to_end(steps)
    minibatch = FAMILIES[name].minibatch
    return FAMILIES[name].epoch(4 * minibatch, steps, minibatch)


def of_samples(name: str, samples: int) -> Epoch:
    """`samples` samples of 20 steps, or as many dialogues of ten utterances, in minibatches of 16."""
    if name in FAMILIES:
        return FAMILIES[name].epoch(samples, STEPS, 16)
    return _dialogues(name, [UTTERANCES] * samples, 16)


def of_dialogue(name: str, utterances: int) -> Epoch:
    """Two dialogues of `utterances` utterances at once."""
    return _dialogues(name, [utterances] * 2, 2)


def _dialogues(backbone: str, counts: list[int], minibatch: int) -> Epoch:
    p = conversations.parameters(True)
    narrow = {
        name: setting.model_copy(update={"hidden": 16} | {k: v for k, v in NARROW.items() if hasattr(setting, k)})
        for name, setting in p.backbones.chosen().items()
    }
    p = p.model_copy(
        update={
            "batch_size": minibatch,
            "widths": WIDTHS,
            "feedforward": 16,
            "backbones": p.backbones.model_copy(update=narrow),
        }
    )
    whole = conversations.corpus(counts, p.widths)
    member = self_paced.member(p, whole, 12, backbone, "atv", spcl=True)
    return conversations.our_epoch(member, whole.batches("train"))


def _end_to_end(n: int) -> Epoch:
    generator = torch.Generator().manual_seed(0)
    batch = end_to_end.BATCH
    tokens = torch.randint(2, 1000, (batch, n), generator=generator)
    inputs: Mapping[str, Tensor] = {
        "text": tokens,
        "text_mask": torch.ones_like(tokens),
        "audio": torch.rand(batch * n, 1, 128, 32, generator=generator),
        "audio_lengths": torch.full((batch,), n),
        "video": torch.randint(0, 256, (batch * n, 48, 48, 3), generator=generator, dtype=torch.uint8),
        "video_lengths": torch.full((batch,), n),
    }
    torch.manual_seed(0)
    albert = end_to_end.QUICK["albert"] | {"vocab_size": 1000, "max_position_embeddings": 1000}
    return end_to_end.step(MME2E(**end_to_end.QUICK | {"albert": albert}).train(), inputs)


AXES: Mapping[str, tuple[Callable[[str, int], Epoch], tuple[str, ...], tuple[int, ...], tuple[int, ...]]] = {
    "sequence length": (of_length, (*FAMILIES, "MME2E"), (8, 20, 50, 200, 1000), (8, 10, 12)),
    "samples": (of_samples, (*FAMILIES, *BACKBONES), (16, 32, 320, 3200), (16, 32, 48)),
    "dialogue length": (of_dialogue, BACKBONES, (8, 20, 60, 110, 400), (4, 6, 8)),
}
"""By axis: what prepares a point, the families, the sizes, those of the quick mode. The first size warms up."""


def title(name: str) -> str:
    """As the papers call it."""
    return self_paced.TITLES.get(name, name)


def prepare(axis: str, name: str, size: int) -> Epoch:
    return partial(AXES[axis][0], name)(size)
