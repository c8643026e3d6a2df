"""Modality dropout and whole training runs against the reference."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from lib.reporting import metrics
from lib.training.examples import Examples
from lib.training.loop import train
from lib.training.recipe import Member, ModalityDropoutSpec, ModelSpec, Recipe
from lib.training.run import Outcome
from lib.training.strategies import ModalityDropout, dropped
from lib.training.streams import ReplayStreams
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
    config = vectors.config
    generator = random.Random(config["python_random_seed"])
    draws = vectors["in/draws"]
    assert draws[:12].tolist() == [generator.uniform(0, 1) for _ in range(12)]
    sizes = config["input_dims_lav"]
    parts = vectors.tensor("in/x").transpose(0, 1).split(sizes, dim=-1)
    inputs = dict(zip(MODALITIES, parts, strict=True))
    names = {"audio": "audio", "video": "video", "language": "text"}
    for row, values in enumerate(vectors["in/rates"]):
        rates = {names[n]: float(v) for n, v in zip(config["rates_columns"], values, strict=True)}
        for column, draw in enumerate(draws):
            expected = vectors["out/dropped"][row, column]
            found = [bool(dropped(draw, rates[names[n]])) for n in config["mask_columns"]]
            assert found == expected.tolist(), (rates, draw)
            strategy = ModalityDropout(ModalityDropoutSpec(rates))
            out = strategy.on_batch(inputs, FixedDraw(float(draw)))
            joined = torch.cat([out[m] for m in MODALITIES], dim=-1)
            zeroed = (joined == 0).all(dim=0).all(dim=0).numpy()
            np.testing.assert_array_equal(zeroed, vectors["out/zeroed_columns"][row, column])
            kept = ~torch.from_numpy(zeroed)
            assert torch.equal(joined[..., kept], torch.cat(list(parts), dim=-1)[..., kept])


def splits_of(vectors: Vectors, sizes: list[int], precision: str, classes: bool) -> dict[str, Examples]:
    dtype = torch.float64 if precision == "f64" else torch.float32
    found = {}
    for name in ("train", "valid", "test"):
        parts = vectors.tensor(f"in/X_{name}", dtype).split(sizes, dim=-1)
        targets = vectors.tensor(f"in/y_{name}", torch.int64 if classes else dtype)
        found[name] = Examples(dict(zip(MODALITIES, parts, strict=True)), targets)
    return found


def member_of(config: dict, classes: bool) -> Member:
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
        precision="float64" if config["model_precision"] == "f64" else "float32",
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


@golden("colearning", "loop_mfn", "loop_bieflstm")
def test_whole_run(vectors):
    check_whole_run(vectors, train)


def check_whole_run(vectors: Vectors, run: Callable[[Member, dict[str, Examples], ReplayStreams], Outcome]) -> None:
    """Every stored number of a run, at the precision that the file's README calls portable.

    `minibatch_shares_memory_with_training_array` files document a bug of the reference (quirk 13): a loop that
    copies must give the result of the file without it, so their draws and weights are compared but not their losses.
    """
    config = vectors.config
    classes = str(vectors["kind"]) == "loop_bieflstm"
    double = config["model_precision"] == "f64"
    aliased = config["minibatch_shares_memory_with_training_array"]
    tolerance = 1e-6 if double else 1e-4
    member = member_of(config, classes)
    sizes = (config if classes else config["main"])["input_dims"]
    splits = splits_of(vectors, sizes, config["model_precision"], classes)
    before = {name: {m: x.clone() for m, x in split.inputs.items()} for name, split in splits.items()}
    check_initial_weights(vectors, member)
    given = GivenModel(member.model.name, member.model.arguments, weights=vectors.state_dict())
    member = replace(member, model=given)
    streams = Recorded(config["seed"])
    outcome = run(member, splits, streams)

    np.testing.assert_array_equal(streams.order, vectors["out/permutation"])
    np.testing.assert_array_equal(np.reshape(streams.draws, vectors["out/draws"].shape), vectors["out/draws"])
    np.testing.assert_array_equal(outcome.history["learning_rate"], vectors["out/lr"])
    assert not bool(vectors["out/caller_data_mutated"])
    for name, split in splits.items():
        assert all(torch.equal(x, before[name][m]) for m, x in split.inputs.items())
    compared = {"out/permutation", "out/draws", "out/lr", "out/caller_data_mutated"}
    train_loss = np.array(outcome.history["train_loss"])
    if aliased:
        first_drop = np.argmax((vectors["out/draws"] <= max(config["rates"].values())).any(axis=1))
        assert np.abs(train_loss - vectors["out/train_loss"])[first_drop + 1 :].max() > tolerance
        return
    check = np.testing.assert_allclose
    check(train_loss, vectors["out/train_loss"], rtol=1e-5 if classes and not double else tolerance, atol=0)
    compared.add("out/train_loss")
    if classes and not double:
        return  # validation, predictions and metrics of this file are not portable (quirk 14; golden README)
    check(outcome.history["valid_loss"], vectors["out/valid_loss"], rtol=tolerance)
    assert outcome.best_epoch == int(vectors["out/best_epoch"])
    for key, norm in vectors.under("best_norm").items():
        check(outcome.best_state[key].double().norm().item(), norm, rtol=tolerance, atol=tolerance, err_msg=key)
    compared |= {"out/valid_loss", "out/best_epoch"}
    compared |= check_test_scores(vectors, outcome.outputs["test"], classes, tolerance)
    left = {key for key in vectors.arrays if key.startswith("out/")} - compared
    assert not left, f"stored but not compared: {sorted(left)}"


def drawn_weights(member: Member, precision: torch.dtype) -> dict[str, torch.Tensor]:
    """The replayed initial weights when `precision` is torch's default dtype at construction."""
    before = torch.get_default_dtype()
    streams = ReplayStreams(member.seed)
    try:
        torch.set_default_dtype(precision)
        with streams.session(), streams.initial_weights():
            return {key: value.float() for key, value in member.model.build().state_dict().items()}
    finally:
        torch.set_default_dtype(before)


def check_initial_weights(vectors: Vectors, member: Member) -> None:
    """The stored seed gives the stored weights; one file was built in float64, where the same seed draws others."""
    stored = vectors.state_dict(torch.float32)
    candidates = [drawn_weights(member, precision) for precision in (torch.float32, torch.float64)]
    assert any(all(torch.equal(drawn[key], stored[key]) for key in stored) for drawn in candidates)


def check_test_scores(vectors: Vectors, outputs: torch.Tensor, classes: bool, tolerance: float) -> set[str]:
    """The reference's test metrics from our outputs, by the definitions of spec colearning, section 7."""
    labels = vectors["in/y_test"]
    if classes:
        n_classes = outputs.shape[1]
        found = metrics.classification(outputs.numpy(), labels.astype(np.int64), n_classes)
        predicted = outputs.argmax(dim=1).numpy()
        np.testing.assert_array_equal(predicted, vectors["out/pred"])
        expected = {"acc": "acc", "loss": "cross_entropy", "f_score": "weighted_f1_swapped"}
        table = metrics.confusion(labels.astype(np.int64), predicted, range(n_classes))
        present = np.unique(np.concatenate([labels, predicted])).astype(int)
        np.testing.assert_array_equal(table[np.ix_(present, present)], vectors["out/cm"])
        extra = {"out/pred", "out/cm"}
    else:
        predicted = outputs.squeeze(1).numpy()
        np.testing.assert_allclose(predicted, vectors["out/pred"], rtol=tolerance, atol=tolerance)
        found = metrics.regression(predicted, labels)
        expected = {
            "acc": "acc2_nonneg",
            "mae": "mae",
            "corr": "corr",
            "mult_acc": "acc7_rounded",
            "f_score": "f1_rounded_swapped",
        }
        extra = {"out/pred"}
    for theirs, ours in expected.items():
        np.testing.assert_allclose(found[ours], vectors[f"out/{theirs}"], rtol=tolerance, atol=tolerance, err_msg=ours)
    return extra | {f"out/{name}" for name in expected}
