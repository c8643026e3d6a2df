"""A corpus and a grid small enough for tests of the training code."""

from dataclasses import replace

import numpy as np

from lib.data.corpus import Corpus, Source, Split
from lib.training.recipe import Member, ModalityDropoutSpec, ModelSpec, Recipe

WIDTHS = {"text": 5, "audio": 3, "video": 4}
MODEL = ModelSpec("ef_lstm:BiEFLSTM", {"features": WIDTHS, "hidden": 4, "classes": 3, "dropout": 0.3})
BLOCKS = ("att1", "att2", "gamma1", "gamma2", "out")
MFN = ModelSpec(
    "mfn:MFN",
    {
        "features": WIDTHS,
        "hidden": {"text": 4, "audio": 3, "video": 2},
        "memory": 5,
        "widths": dict(zip(BLOCKS, (6, 5, 4, 3, 7), strict=True)),
        "dropouts": dict(zip(BLOCKS, (0.0, 0.2, 0.0, 0.2, 0.5), strict=True)),
        "outputs": 3,
    },
)
EFLSTM = ModelSpec("ef_lstm:EFLSTM", {"features": WIDTHS, "hidden": 4, "outputs": 3, "dropout": 0.3})
RECIPE = Recipe(loss="cross_entropy", epochs=4, batch_size=8, learning_rate=0.01)


def corpus(seed: int = 0, sizes: tuple[int, int, int] = (30, 10, 12)) -> Corpus:
    rng = np.random.default_rng(seed)
    splits = {}
    for name, n in zip(("train", "valid", "test"), sizes, strict=True):
        labels = rng.integers(3, size=n)
        features = {m: rng.normal(size=(n, 6, width)).astype(np.float32) for m, width in WIDTHS.items()}
        features["text"][:, :, 0] += labels[:, None]
        splits[name] = Split(features, np.full(n, 6), labels, tuple(f"{name}_{i}" for i in range(n)))
    return Corpus("classes", ("a", "b", "c"), WIDTHS, splits, Source("small", True, {}, "none", "random"))


def member(variant: str = "rate 0.5", seed: int = 0, rate: float = 0.5, **recipe) -> Member:
    return Member(
        variant=variant,
        seed=seed,
        model=MODEL,
        recipe=replace(RECIPE, **recipe),
        train_on=("text", "audio", "video"),
        evaluate_on=("text",),
        modality_dropout=ModalityDropoutSpec({"audio": rate, "video": rate}),
    )
