"""The end-to-end models and their baselines against the reference."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from lib.models.handcrafted_baselines import LFRNN, LFTransformer
from lib.models.mme2e import MME2E
from lib.models.mme2e_sparse import MME2ESparse, SiteOrder, Stage
from lib.models.sequence_encoder import pad_ragged
from lib.models.sparse_sites import FORMS, Form
from lib.training import objective
from lib.training.loop import evaluate, train_epoch
from lib.training.recipe import Member, ModelSpec, Recipe
from lib.training.run import Run
from lib.training.strategies import ModalityDropout
from lib.training.streams import SeededStreams
from tests.parity.closeness import check
from tests.parity.mme2e_vectors import (
    MODALITIES,
    MODES,
    Gradients,
    compare,
    load,
    model_arguments,
    model_inputs,
    run_mode,
    running_statistics,
    weighted_loss,
    with_weights,
)
from tests.parity.reference import Vectors, golden

LARGE = 10**6
"""Parameters of a model from which on fewer neighbours are computed, to spare memory and time."""

SITE_ORDERS: dict[str, SiteOrder] = {
    "reference (y,x,frame) rows against (frame,y,x) features": "reference",
    "corrected": "corrected",
}


def neighbours_of(model: nn.Module) -> int:
    return 8 if sum(parameter.numel() for parameter in model.parameters()) < LARGE else 3


def dense_model(vectors: Vectors) -> dict[str, object]:
    """All that a file of the dense model holds, by its keys."""
    model = MME2E(**model_arguments(vectors))
    gradients, found = Gradients(model), {}
    for mode in MODES:
        found |= run_mode(model, gradients, vectors, mode)
    if "out/num_params_without_text_encoder" in vectors:
        without_text = (p.numel() for name, p in model.named_parameters() if not name.startswith("T."))
        found["out/num_params_without_text_encoder"] = sum(without_text)
    return found | running_statistics(model)


def check_dense_model(vectors: Vectors) -> None:
    model = MME2E(**model_arguments(vectors))
    compare(with_weights(vectors, model), dense_model, neighbours=neighbours_of(model))


@golden("mme2e", "mme2e")
def test_dense_model(vectors: Vectors):
    check_dense_model(vectors)


def build_sparse(vectors: Vectors, form: Form) -> MME2ESparse:
    threshold = vectors.config["args"]["sparse_threshold"]
    site_order = SITE_ORDERS[vectors.config["coordinate_order"]]
    return MME2ESparse(**model_arguments(vectors), threshold=threshold, site_order=site_order, form=form)


def sparse_model(vectors: Vectors, form: Form) -> dict[str, object]:
    """All that a file of the sparse model holds, by its keys. Evaluation has no stored gradients."""
    model = build_sparse(vectors, form)
    gradients, found = Gradients(model), {}
    modes = [mode for mode in MODES if f"out/{mode}" in vectors]
    for mode in modes:
        found |= run_mode(model, gradients, vectors, mode)
        if mode == "train":
            found |= running_statistics(model)
        found |= stages_as_stored(model, vectors, mode)
    return {key: value for key, value in found.items() if not key.startswith("gradnorm/eval/")}


def check_sparse_model(vectors: Vectors, form: Form) -> None:
    model = build_sparse(vectors, form)
    compare(with_weights(vectors, model), lambda near: sparse_model(near, form), neighbours=neighbours_of(model))


@golden("mme2e", "sparse")
@pytest.mark.parametrize("form", FORMS)
def test_sparse_model(vectors: Vectors, form: Form):
    check_sparse_model(vectors, form)


def stages_as_stored(model: MME2ESparse, vectors: Vectors, mode: str) -> dict[str, Tensor]:
    load(model, vectors).train(mode == "train")
    _, stages = model.with_stages(**model_inputs(vectors))
    found = {}
    for initial in set(vectors.config["args"]["modalities"]) - {"t"}:
        first, second, third = stages[MODALITIES[initial]]
        found[f"out/{mode}_{initial}_attn0_mask"] = first.kept
        found[f"out/{mode}_{initial}_loc1_locations"] = locations(second)
        found[f"out/{mode}_{initial}_loc2_locations"] = locations(third)
        if initial == "v":
            found[f"out/{mode}_v_attn0_head"] = first.probabilities[:, :2]
    return found


def locations(stage: Stage) -> Tensor:
    """(row, column, frame) of the kept sites, in the order of frame, row, column."""
    return stage.kept.nonzero()[:, [1, 2, 0]]


@dataclass(frozen=True)
class OneBatch:
    """The file's two utterances, whatever is taken of them: its steps all see the same minibatch."""

    vectors: Vectors
    dtype: torch.dtype

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def inputs(self) -> dict:
        return model_inputs(self.vectors, self.dtype)

    @property
    def targets(self) -> torch.Tensor:
        return self.vectors.tensor("in/labels", self.dtype)

    def take(self, index) -> "OneBatch":
        return self


def optimiser_steps(vectors: Vectors, dtype: torch.dtype) -> dict[str, object]:
    """The steps of a file through the training loop, and what the model answers after them."""
    config = vectors.config
    assert config["scheduler"] == {"T_max": 8}
    recipe = Recipe(
        loss="bce",
        epochs=config["scheduler"]["T_max"],
        batch_size=len(vectors["in/labels"]),
        learning_rate=config["lr"],
        groups={"text_lr_factor": config["text_lr_factor"]},
        plateau_patience=None,
        clip_norm=config["clip"],
        drop_last=False,
        annealed=True,
        precision=str(dtype).removeprefix("torch."),
    )
    norms, clip = [], nn.utils.clip_grad_norm_
    weights = vectors.tensor("in/pos_weight", dtype)  # of the file, not of these two utterances
    batch = OneBatch(vectors, dtype)
    spec = ModelSpec("mme2e:MME2E", model_arguments(vectors))
    losses, rates = [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.utils, "clip_grad_norm_", lambda *given: norms.append(clip(*given).item()))
        patch.setattr(objective, "positive_weights", lambda labels: weights)
        run = Run(Member("x", 0, spec, recipe, (), ()), batch, SeededStreams(0))
        load(run.model, vectors).to(dtype)
        for _ in range(config["steps"]):
            run.start_epoch()
            rates.append([group["lr"] for group in run.optimiser.param_groups])
            losses.append(train_epoch(run, batch, ModalityDropout(None)))
    return {
        "out/losses": losses,
        "out/grad_norms_before_clip": norms,
        "out/lrs_used": rates,
        "out/eval_after": evaluate(run.model, batch, recipe),
    }


def check_train_steps(vectors: Vectors) -> None:
    """Losses, gradients and rates of the steps in float64; the answers afterwards in float32.

    In float32 the gradient of a bias before batch norm is rounding noise, of which Adam makes steps of full size.
    Training subtracts them again, evaluation does not (its statistics are running ones), so the answers hold noise that
    only a float32 run has, and whose size the neighbours of ours show.
    """
    keys = vectors.keys("out")
    after = ["out/eval_after"]
    for dtype, mine in ((torch.float64, [key for key in keys if key not in after]), (torch.float32, after)):

        def compute(near: Vectors, dtype=dtype, mine=mine) -> dict[str, object]:
            found = optimiser_steps(near, dtype)
            assert set(found) == set(keys)
            return {key: found[key] for key in mine}

        check(vectors, compute, mine, group=str, single=dtype == torch.float32)


@golden("mme2e", "train_steps")
def test_optimiser_steps_through_the_training_loop(vectors: Vectors):
    """Text rate, clipping, cosine per minibatch and positive weights are those of the loop; an epoch is one step."""
    check_train_steps(vectors)


def build_baseline(vectors: Vectors) -> LFRNN | LFTransformer:
    args = vectors.config["args"]
    arguments = {
        "sizes": dict(zip(("text", "audio", "video"), args["hfc_sizes"], strict=True)),
        "emotions": args["num_emotions"],
        "modalities": [MODALITIES[initial] for initial in args["modalities"]],
    }
    if str(vectors["kind"]) == "lf_rnn":
        return LFRNN(**arguments)
    return LFTransformer(**arguments, layers=args["trans_nlayers"], dropout=0.0)


def baseline(vectors: Vectors) -> dict[str, object]:
    """All that a file of a hand-crafted baseline holds, by its keys."""
    lengths = {
        "audio_lengths": vectors.tensor("in/audio_lens"),
        "video_lengths": vectors.tensor("in/img_lens"),
    }
    batch = lengths | {
        "text": vectors.double("in/text"),
        "audio": pad_ragged(vectors.double("in/audio"), lengths["audio_lengths"]),
        "video": pad_ragged(vectors.double("in/img"), lengths["video_lengths"]),
    }
    model = build_baseline(vectors)
    gradients, found = Gradients(model), {}
    for mode in MODES:
        load(model, vectors).train(mode == "train").zero_grad()
        logits = model(**batch)
        loss = weighted_loss(logits, vectors)
        loss.backward()
        found |= {f"out/{mode}": logits, f"out/{mode}_loss": loss} | gradients.norms(f"gradnorm/{mode}")
    return found


def check_baseline(vectors: Vectors) -> None:
    model = build_baseline(vectors)
    compare(with_weights(vectors, model), baseline, neighbours=neighbours_of(model))


@golden("mme2e", "lf_rnn", "lf_transformer")
def test_baseline(vectors: Vectors):
    check_baseline(vectors)
