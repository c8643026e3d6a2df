"""The fleet: every member gets what the plain loop gives it, whoever trains beside it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lib.training.fleet import Fleet, stack_key, train_fleet
from lib.training.loop import train
from lib.training.recipe import Member, ModelSpec
from lib.training.run import Checkpoint, Outcome, Run
from lib.training.streams import ReplayStreams, SeededStreams
from tests.training.small import EFLSTM, MFN, MODEL, corpus, member

MODELS = {"biEFLSTM": MODEL, "MFN": MFN, "EF-LSTM": EFLSTM}


@pytest.fixture(autouse=True)
def single_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def splits(dtype: torch.dtype = torch.float64):
    return {name: corpus().batches(name, dtype=dtype) for name in ("train", "valid", "test")}


def with_dropout(model: ModelSpec, p: float) -> ModelSpec:
    """The same shapes with another dropout everywhere."""
    arguments = dict(model.arguments)
    if "dropout" in arguments:
        return replace(model, arguments=arguments | {"dropout": p})
    return replace(model, arguments=arguments | {"dropouts": dict.fromkeys(arguments["dropouts"], p)})


def mixed(model: ModelSpec, precision: str = "float64", **common) -> list[Member]:
    """Members that differ in everything that changes no shape."""
    common = {"precision": precision, **common}
    members = [
        replace(member("plain", 0, 0.5, **common), model=model),
        replace(member("other rate", 1, 0.9, learning_rate=0.03, weight_decay=0.01, **common), model=model),
        replace(member("no dropout", 2, 0.0, epochs=2, **common), model=with_dropout(model, 0.0)),
        replace(member("stops early", 3, 0.5, epochs=9, patience=1, learning_rate=0.1, **common), model=model),
        replace(
            member("clipped", 4, 0.2, clip_norm=0.05, plateau_patience=0, **common), model=with_dropout(model, 0.1)
        ),
        replace(member("text only", 5, 0.0, reshuffle=True, **common), model=model, train_on=("text",)),
        replace(member("per sample", 6, 0.5, tested_epoch="last", **common), model=model),
    ]
    spec = members[-1].modality_dropout
    members[-1] = replace(members[-1], modality_dropout=replace(spec, draw="sample"))
    return members


def fleet(members: list[Member], dtype: torch.dtype = torch.float64, **options) -> list[Outcome]:
    return train_fleet(members, splits(dtype), [SeededStreams(m.seed) for m in members], **options)


def alone(m: Member, dtype: torch.dtype = torch.float64) -> Outcome:
    return train(m, splits(dtype), SeededStreams(m.seed))


def same_run(a: Outcome, b: Outcome, tolerance: float) -> None:
    """Equal decisions, and equal numbers up to rounding."""
    assert a.best_epoch == b.best_epoch
    assert a.epochs_run == b.epochs_run
    for name in a.history:
        np.testing.assert_allclose(a.history[name], b.history[name], rtol=tolerance, err_msg=name)
    for part in ("outputs", "best_state"):
        ours, theirs = getattr(a, part), getattr(b, part)
        assert ours.keys() == theirs.keys()
        for key in ours:
            torch.testing.assert_close(
                ours[key], theirs[key], rtol=tolerance, atol=tolerance, msg=lambda m, k=key: k + m
            )


def same_bits(a: Outcome, b: Outcome) -> None:
    assert a.history == b.history
    assert a.best_epoch == b.best_epoch
    for part in ("outputs", "best_state"):
        ours, theirs = getattr(a, part), getattr(b, part)
        assert all(torch.equal(ours[key], theirs[key]) for key in ours | theirs)


@pytest.mark.parametrize("drop_last", [True, False], ids=["full minibatches", "odd remainder"])
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_each_member_gets_what_the_plain_loop_gives_it(model, drop_last):
    members = mixed(model, drop_last=drop_last)
    epochs = []
    for m, found in zip(members, fleet(members), strict=True):
        same_run(found, alone(m), 1e-6)  # Adam enlarges the noise in biEFLSTM's fc1.bias (spec colearning, quirk 14)
        epochs.append(found.epochs_run)
    assert epochs[2] == 2
    assert epochs[3] < 9, "the early stop did not show"
    assert max(epochs) == 4 or epochs[3] > 4


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_single_precision_agrees_to_rounding_over_one_epoch(model):
    members = [replace(m, recipe=replace(m.recipe, epochs=1)) for m in mixed(model, "float32")]
    for m, found in zip(members, fleet(members, torch.float32), strict=True):
        expected = alone(m, torch.float32)
        np.testing.assert_allclose(found.history["train_loss"], expected.history["train_loss"], rtol=1e-5)
        for key, value in expected.best_state.items():
            if key != "fc1.bias" and not key.startswith("bn1.running"):  # spec colearning, quirk 14, again
                torch.testing.assert_close(found.best_state[key], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_neighbours_their_number_and_their_order_do_not_matter(model):
    members = mixed(model)
    together = fleet(members)
    for i, found in enumerate(fleet(members[::-1])[::-1]):
        same_run(found, together[i], 1e-9 if model is not MODEL else 1e-6)
    same_run(fleet(members[:1])[0], together[0], 1e-9 if model is not MODEL else 1e-6)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_a_member_that_diverges_on_purpose_leaves_the_others_their_bits(model):
    good = mixed(model, "float32")[:3]
    bad = replace(good[1], recipe=replace(good[1].recipe, learning_rate=1e30))
    undisturbed = fleet(good, torch.float32)
    found = fleet([good[0], bad, good[2]], torch.float32)
    assert found[1].diverged
    assert found[1].outputs == {}
    assert np.isnan(found[1].history["train_loss"][-1]) or np.isnan(found[1].history["valid_loss"][-1])
    same_bits(found[0], undisturbed[0])
    same_bits(found[2], undisturbed[2])


def test_an_abandoned_member_leaves_at_once():
    good = mixed(MFN)[:2]
    bad = replace(good[1], recipe=replace(good[1].recipe, learning_rate=1e300, abandon_on_nan=True, epochs=9))
    sizes = []
    found = fleet([bad, good[0]], after_epoch=lambda runs: sizes.append(len(runs)))
    assert found[0].diverged
    assert found[0].epochs_run < 4
    assert sizes == [2] * found[0].epochs_run + [1] * (4 - found[0].epochs_run)
    same_run(found[1], alone(good[0]), 1e-9)


def test_members_finish_one_by_one_and_leave_the_stack():
    members = [replace(m, recipe=replace(m.recipe, epochs=e)) for m, e in zip(mixed(MFN), (3, 1, 2), strict=False)]
    order, sizes = [], []
    fleet(
        members,
        finished=lambda m, outcome: order.append((m.variant, outcome.epochs_run, outcome.engine)),
        after_epoch=lambda runs: sizes.append(len(runs)),
    )
    assert order == [
        ("other rate", 1, "fleet on cpu"),
        ("no dropout", 2, "fleet on cpu"),
        ("plain", 3, "fleet on cpu"),
    ]
    assert sizes == [3, 2, 1]


def test_an_interrupted_fleet_goes_on_in_any_company_or_alone(tmp_path):
    members = mixed(MFN)[:3]
    undisturbed = fleet(members)

    def checkpoints(which):
        return [Checkpoint(tmp_path / f"{m.seed}.checkpoint", f"{m.seed}", every_s=0) for m in which]

    def interrupt(runs):
        if runs[0].selection.epochs == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fleet(members, checkpoints=checkpoints(members), after_epoch=interrupt)
    pair, epochs = [members[1], members[2]], []
    resumed = fleet(
        pair, checkpoints=checkpoints(pair), after_epoch=lambda runs: epochs.append(runs[0].selection.epochs)
    )
    assert epochs == [3, 4], "training did not go on where it stopped"
    same_run(resumed[0], undisturbed[1], 1e-9)
    same_run(resumed[1], undisturbed[2], 1e-9)
    done = []
    last = train(
        members[0],
        splits(),
        SeededStreams(members[0].seed),
        checkpoint=checkpoints(members)[0],
        after_epoch=done.append,
    )
    assert done == [2, 3]
    same_run(last, undisturbed[0], 1e-9)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_a_stacked_evaluation_equals_that_of_each_model(model):
    members = mixed(model)[:3]
    for evaluated in (members, [members[0], replace(members[1], evaluate_on=("text", "video")), members[2]]):
        runs = [Run(m, splits()["train"], SeededStreams(m.seed)) for m in evaluated]
        stack = Fleet(runs, splits())
        torch.testing.assert_close(stack.stacked_outputs("test"), stack.outputs("test"), rtol=1e-9, atol=1e-12)


def test_bfloat16_products_are_an_option_of_both_engines():
    exact, rounded = (mixed(MFN, precision)[0] for precision in ("float32", "bfloat16"))
    first = {
        name: outcome.history["train_loss"][0]
        for name, outcome in {
            "exact": alone(exact, torch.float32),
            "loop": alone(rounded, torch.float32),
            "fleet": fleet([rounded], torch.float32)[0],
        }.items()
    }
    assert first["loop"] != first["exact"]
    assert first["loop"] == pytest.approx(first["exact"], rel=0.05)
    assert first["fleet"] != first["exact"]
    assert first["fleet"] == pytest.approx(first["loop"], rel=0.02)


def test_what_changes_a_shape_or_the_arithmetic_cannot_be_stacked():
    base = mixed(MFN)[0]
    assert stack_key(mixed(MFN)[4]) == stack_key(base)
    for other in (
        replace(base, model=MODEL),
        replace(base, model=replace(MFN, arguments={**MFN.arguments, "memory": 6})),
        replace(base, recipe=replace(base.recipe, batch_size=4)),
        replace(base, recipe=replace(base.recipe, precision="float32")),
    ):
        assert stack_key(other) != stack_key(base)
        with pytest.raises(ValueError, match="cannot be stacked"):
            fleet([base, other])


def test_replayed_streams_cannot_serve_element_dropout():
    with pytest.raises(ValueError, match="cannot serve element dropout"):
        train_fleet(mixed(MFN)[:1], splits(), [ReplayStreams(0)])


def test_less_than_a_minibatch_is_an_error():
    with pytest.raises(ValueError, match="do not fill one batch"):
        fleet(mixed(MFN, batch_size=64))
