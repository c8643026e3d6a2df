"""Modality dropout and whole training runs against the reference."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from lib.data.batches import Examples
from lib.metrics import scores as metrics
from lib.training.loop import train
from lib.training.recipe import Member, ModalityDropoutSpec, ModelSpec, Recipe
from lib.training.run import Outcome
from lib.training.strategies import ModalityDropout, dropped
from lib.training.streams import ReplayStreams
from tests.parity.closeness import SINGLE, STORED, check, check_drawn, noise_of, norm
from tests.parity.reference import Vectors, golden

MODALITIES = ("text", "audio", "video")
BLOCKS = {"att1": "NN1", "att2": "NN2", "gamma1": "gamma1", "gamma2": "gamma2", "out": "out"}


@dataclass(frozen=True, kw_only=True)
class GivenModel(ModelSpec):
    """A model that starts from the file's weights, whatever the random stream draws."""

    weights: dict[str, torch.Tensor]

    def build(self):
        model = super().build()
        model.load_state_dict(self.weights, strict=True)
        return model


class FixedDraw:
    """Streams that always draw the same number."""

    def __init__(self, value: float):
        self.value = value

    def uniform(self, size=None):
        return self.value


@golden("colearning", "modality_dropout")
def test_modality_dropout(vectors):
    check_modality_dropout(vectors)


def check_modality_dropout(vectors: Vectors) -> None:
    config = vectors.config
    generator = random.Random(config["python_random_seed"])
    draws = vectors["in/draws"]
    seeded = {"draws": np.array([generator.uniform(0, 1) for _ in range(12)])}
    check_drawn(seeded, {"draws": draws[:12]})
    noisy = noise_of(seeded, {"draws": draws[:12]}) == SINGLE
    sizes = config["input_dims_lav"]
    parts = vectors.tensor("in/x").transpose(0, 1).split(sizes, dim=-1)
    inputs = dict(zip(MODALITIES, parts, strict=True))
    names = {"audio": "audio", "video": "video", "language": "text"}
    for row, values in enumerate(vectors["in/rates"]):
        rates = {names[n]: float(v) for n, v in zip(config["rates_columns"], values, strict=True)}
        for column, draw in enumerate(draws):
            if noisy and min(abs(draw - rate) for rate in rates.values()) <= STORED * SINGLE:
                continue  # noise has decided whether the draw is above the rate
            expected = vectors["out/dropped"][row, column]
            found = [bool(dropped(draw, rates[names[n]])) for n in config["mask_columns"]]
            assert found == expected.tolist(), (rates, draw)
            strategy = ModalityDropout(ModalityDropoutSpec(rates))
            out = strategy.on_batch(inputs, FixedDraw(float(draw)))
            joined = torch.cat([out[m] for m in MODALITIES], dim=-1)
            zeroed = (joined == 0).all(dim=0).all(dim=0).numpy()
            assert np.array_equal(zeroed, vectors["out/zeroed_columns"][row, column]), (rates, draw)
            kept = ~torch.from_numpy(zeroed)
            assert torch.equal(joined[..., kept], torch.cat(list(parts), dim=-1)[..., kept])


def splits_of(vectors: Vectors, sizes: list[int], dtype: torch.dtype, classes: bool) -> dict[str, Examples]:
    found = {}
    for name in ("train", "valid", "test"):
        parts = vectors.tensor(f"in/X_{name}", dtype).split(sizes, dim=-1)
        targets = vectors.double(f"in/y_{name}")
        targets = targets.round().long() if classes else targets.to(dtype)
        found[name] = Examples(dict(zip(MODALITIES, parts, strict=True)), targets)
    return found


def member_of(config: dict, classes: bool, dtype: torch.dtype) -> Member:
    main = config if classes else config["main"]
    features = dict(zip(MODALITIES, main["input_dims"], strict=True))
    if classes:
        arguments = {
            "features": features,
            "hidden": config["h"],
            "classes": config["n_classes"],
            "dropout": config["drop"],
        }
        model = ModelSpec("ef_lstm:BiEFLSTM", arguments)
    else:
        arguments = {
            "features": features,
            "hidden": dict(zip(MODALITIES, main["h_dims"], strict=True)),
            "memory": main["memsize"],
            "widths": {ours: config[theirs]["shapes"] for ours, theirs in BLOCKS.items()},
            "dropouts": {ours: float(config[theirs]["drop"]) for ours, theirs in BLOCKS.items()},
        }
        model = ModelSpec("mfn:MFN", arguments)
    recipe = Recipe(
        loss="cross_entropy" if classes else "l1",
        epochs=main["num_epochs"],
        batch_size=main["batchsize"],
        learning_rate=main["lr"],
        drop_last=config["drop_last"],
        precision=str(dtype).removeprefix("torch."),
    )
    rates = {"text": config["rates"]["language"], "audio": config["rates"]["audio"], "video": config["rates"]["video"]}
    dropout = ModalityDropoutSpec(rates)
    return Member("replay", config["seed"], model, recipe, MODALITIES, MODALITIES, dropout)


class Recorded(ReplayStreams):
    """Replay that keeps what it drew."""

    def __init__(self, seed: int):
        super().__init__(seed)
        self.order, self.draws = None, []

    def permutation(self, n, epoch=None):
        self.order = super().permutation(n, epoch)
        return self.order

    def uniform(self, size=None):
        self.draws.append(super().uniform(size))
        return self.draws[-1]


Run = Callable[[Member, dict[str, Examples], ReplayStreams], Outcome]


def is_classes(vectors: Vectors) -> bool:
    return str(vectors["kind"]) == "loop_bieflstm"


def member_from(vectors: Vectors, dtype: torch.dtype) -> Member:
    """The run of a file, from the file's weights."""
    member = member_of(vectors.config, is_classes(vectors), dtype)
    given = GivenModel(member.model.name, member.model.arguments, weights=vectors.state_dict(dtype))
    return replace(member, model=given)


def computed(vectors: Vectors, run: Run, dtype: torch.dtype) -> dict[str, object]:
    """All that a file holds of a run, by its keys."""
    config, classes = vectors.config, is_classes(vectors)
    splits = splits_of(vectors, (config if classes else config["main"])["input_dims"], dtype, classes)
    before = {name: {m: x.clone() for m, x in split.inputs.items()} for name, split in splits.items()}
    streams = Recorded(config["seed"])
    outcome = run(member_from(vectors, dtype), splits, streams)
    mutated = any(not torch.equal(x, before[s][m]) for s, split in splits.items() for m, x in split.inputs.items())
    found = {
        "out/permutation": streams.order,
        "out/draws": np.reshape(streams.draws, vectors["out/draws"].shape),
        "out/lr": outcome.history["learning_rate"],
        "out/caller_data_mutated": mutated,
        "out/train_loss": outcome.history["train_loss"],
        "out/valid_loss": outcome.history["valid_loss"],
        "out/best_epoch": outcome.best_epoch,
    }
    found |= {f"best_norm/{key}": norm(x.double()) for key, x in outcome.best_state.items()}
    labels = splits["test"].targets.double().numpy()
    return found | (class_scores if classes else value_scores)(outcome.outputs["test"].double(), labels)


def class_scores(outputs: Tensor, labels: np.ndarray) -> dict[str, object]:
    """The reference's test metrics from our logits, by the definitions of spec colearning, section 7."""
    n_classes, labels = outputs.shape[1], labels.astype(np.int64)
    scores = metrics.classification(outputs.numpy(), labels, n_classes)
    predicted = outputs.argmax(dim=1).numpy()
    present = np.unique(np.concatenate([labels, predicted]))
    table = metrics.confusion(labels, predicted, range(n_classes))[np.ix_(present, present)]
    named = {"acc": "acc", "loss": "cross_entropy", "f_score": "weighted_f1_swapped"}
    return {"out/pred": predicted, "out/cm": table, **{f"out/{theirs}": scores[ours] for theirs, ours in named.items()}}


def value_scores(outputs: Tensor, labels: np.ndarray) -> dict[str, object]:
    predicted = outputs.squeeze(1).numpy()
    scores = metrics.regression(predicted, labels)
    named = {
        "acc": "acc2_nonneg",
        "mae": "mae",
        "corr": "corr",
        "mult_acc": "acc7_rounded",
        "f_score": "f1_rounded_swapped",
    }
    return {"out/pred": predicted, **{f"out/{theirs}": scores[ours] for theirs, ours in named.items()}}


def check_whole_run(vectors: Vectors, run: Run, dtype: torch.dtype = torch.float64) -> None:
    """Every stored number of a run that another machine can have.

    `minibatch_shares_memory_with_training_array` files document a bug of the reference (quirk 13): a loop that copies
    must give the result of the file without it, so only their draws are compared, and their losses must be others. In
    the float32 run of biEFLSTM Adam turns the rounding noise of a zero gradient (a bias before batch norm) into steps
    of full size; training subtracts them again, evaluation does not (quirk 14), so only its training is compared.
    """
    config = vectors.config
    keys = vectors.keys("out", "best_norm")
    exact = ["out/permutation", "out/draws", "out/lr", "out/caller_data_mutated"]
    double = config["model_precision"] == "f64"
    assert double <= (dtype == torch.float64)
    unit = noise_of(known_exactly(vectors), {key: vectors[key] for key in ("out/draws", "out/lr")})
    aliased = config["minibatch_shares_memory_with_training_array"]
    if aliased:
        keys = exact
        first_drop = np.argmax((vectors["out/draws"] <= max(config["rates"].values())).any(axis=1))
        ours = np.array(computed(vectors, run, dtype)["out/train_loss"])
        assert np.abs(ours - vectors["out/train_loss"])[first_drop + 1 :].max() > 1e-4
    elif is_classes(vectors) and not double:
        keys = [*exact, "out/train_loss"]

    def compute(near: Vectors) -> dict[str, object]:
        found = computed(near, run, dtype)
        return {key: found[key] for key in keys}

    check(
        vectors,
        compute,
        keys,
        unit=unit if double else SINGLE,
        group=lambda key: key if key.startswith("out/") else "best_norm",
        neighbours=4,
        single=dtype == torch.float32,
    )


def known_exactly(vectors: Vectors) -> dict[str, np.ndarray]:
    """The draws and learning rates of the file, which do not depend on the model."""
    config = vectors.config
    streams = ReplayStreams(config["seed"])
    with streams.session():
        streams.permutation(len(vectors["out/permutation"]))
        with streams.initial_weights():
            pass
        draws = [streams.uniform() for _ in range(vectors["out/draws"].size)]
    rate = (config if is_classes(vectors) else config["main"])["lr"]
    return {
        "out/draws": np.reshape(draws, vectors["out/draws"].shape),
        "out/lr": np.full(vectors["out/lr"].shape, rate),
    }


def precisions(vectors: Vectors) -> list[torch.dtype]:
    """A float64 file is compared in float64; a float32 file in both, since float32 is what is used."""
    double = vectors.config["model_precision"] == "f64"
    return [torch.float64] if double else [torch.float64, torch.float32]


@golden("colearning", "loop_mfn", "loop_bieflstm")
def test_whole_run(vectors):
    for dtype in precisions(vectors):
        check_whole_run(vectors, train, dtype)


def drawn_weights(member: Member, precision: torch.dtype) -> dict[str, Tensor]:
    """The replayed initial weights when `precision` is torch's default dtype at construction."""
    before = torch.get_default_dtype()
    streams = ReplayStreams(member.seed)
    try:
        torch.set_default_dtype(precision)
        with streams.session(), streams.initial_weights():
            return member.model.build().state_dict()
    finally:
        torch.set_default_dtype(before)


@golden("colearning", "loop_mfn", "loop_bieflstm")
def test_initial_weights(vectors):
    """The stored seed gives the stored weights; one file was built in float64, where the same seed draws others."""
    member, stored = member_of(vectors.config, is_classes(vectors), torch.float32), vectors.under("w")
    try:
        check_drawn(drawn_weights(member, torch.float32), stored)
    except AssertionError:
        check_drawn(drawn_weights(member, torch.float64), stored)
