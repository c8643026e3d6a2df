"""What is trained in the benchmarks: the published sizes and small ones, on random numbers of the corpora's shapes."""

from dataclasses import dataclass, replace

import numpy as np

from lib.data.corpus import Corpus, Source, Split
from lib.training.recipe import Member, ModalityDropoutSpec, ModelSpec, Recipe

MOSI = {"text": 300, "audio": 5, "video": 20}
IEMOCAP = {"text": 300, "audio": 80, "video": 310}
BLOCKS = ("att1", "att2", "gamma1", "gamma2", "out")
RATES = (0.0, 0.15, 0.4, 0.6, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Case:
    """A model, how it is trained, and the shape of its corpus: samples of train, valid and test, and time steps."""

    name: str
    model: ModelSpec
    recipe: Recipe
    samples: tuple[int, int, int]
    time: int = 20

    @property
    def widths(self) -> dict[str, int]:
        """Feature widths by modality."""
        arguments = self.model.arguments
        return dict(arguments["features"] if "features" in arguments else arguments["input_sizes"])

    def corpus(self) -> Corpus:
        """Standard normal features; the time that training takes does not depend on them."""
        rng, widths = np.random.default_rng(0), self.widths
        classes = self.model.arguments.get("classes")
        splits = {}
        for name, n in zip(("train", "valid", "test"), self.samples, strict=True):
            features = {m: rng.normal(size=(n, self.time, w)).astype(np.float32) for m, w in widths.items()}
            labels = rng.integers(classes, size=n) if classes else rng.normal(size=n).astype(np.float32)
            splits[name] = Split(features, np.full(n, self.time), labels, tuple(f"{name} {i}" for i in range(n)))
        names = tuple(str(i) for i in range(classes)) if classes else ()
        source = Source(self.name, True, {}, "none", "random")
        return Corpus("classes" if classes else "regression", names, widths, splits, source)

    def members(self, count: int) -> list[Member]:
        """The first `count` of the published grid, or as many seeds as it takes: seven rates, then text alone."""
        features = tuple(self.widths)
        settings = [(f"rate {rate:g}", rate, features) for rate in RATES] + [("text only", 0.0, ("text",))]
        return [
            Member(
                variant=settings[i % len(settings)][0],
                seed=i // len(settings),
                model=self.model,
                recipe=self.recipe,
                train_on=settings[i % len(settings)][2],
                evaluate_on=("text",),
                modality_dropout=ModalityDropoutSpec(dict.fromkeys(("audio", "video"), settings[i % len(settings)][1])),
            )
            for i in range(count)
        ]

    def but(self, **recipe) -> "Case":
        return replace(self, recipe=replace(self.recipe, **recipe))


def mfn(hidden: tuple[int, int, int], memory: int, widths: tuple[int, ...], dropouts: tuple[float, ...]) -> ModelSpec:
    return ModelSpec(
        "mfn:MFN",
        {
            "features": MOSI,
            "hidden": dict(zip(MOSI, hidden, strict=True)),
            "memory": memory,
            "widths": dict(zip(BLOCKS, widths, strict=True)),
            "dropouts": dict(zip(BLOCKS, dropouts, strict=True)),
        },
    )


DROPOUTS = (0.0, 0.2, 0.0, 0.2, 0.5)
PAPER_MFN = Case(
    "MFN, paper",
    mfn((128, 32, 32), 128, (128, 64, 256, 64, 64), DROPOUTS),
    Recipe(loss="l1", epochs=3, batch_size=128, learning_rate=0.01),
    samples=(1284, 229, 686),
)
SMALL_MFN = Case(
    "MFN, hidden 32",
    mfn((32, 32, 32), 32, (32,) * 5, DROPOUTS),
    Recipe(loss="l1", epochs=3, batch_size=32, learning_rate=0.005),
    samples=(256, 64, 64),
)
PAPER_BIEFLSTM = Case(
    "biEFLSTM, paper",
    ModelSpec("ef_lstm:BiEFLSTM", {"features": IEMOCAP, "hidden": 128, "classes": 9, "dropout": 0.5}),
    Recipe(loss="cross_entropy", epochs=3, batch_size=30, learning_rate=0.0001),
    samples=(300, 50, 50),
)
EFLSTM = Case(
    "EF-LSTM",
    ModelSpec("ef_lstm:EFLSTM", {"features": MOSI, "hidden": 128, "outputs": 1, "dropout": 0.5}),
    Recipe(loss="l1", epochs=3, batch_size=32, learning_rate=0.01),
    samples=(320, 57, 57),
)
TINY_MFN = Case(
    "MFN, tiny",
    mfn((4, 4, 4), 4, (4,) * 5, DROPOUTS),
    Recipe(loss="l1", epochs=2, batch_size=32, learning_rate=0.005),
    samples=(64, 8, 8),
    time=3,
)
