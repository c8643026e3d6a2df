"""The end-to-end models and their baselines against the reference."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from lib.models.end_to_end import MME2E
from lib.models.end_to_end_sparse import MME2ESparse, SiteOrder, Stage
from lib.models.handcrafted_baselines import LFRNN, LFTransformer
from lib.models.sequence_encoder import pad_ragged
from lib.models.sparse_sites import FORMS
from lib.training import objective
from lib.training.loop import evaluate, train_epoch
from lib.training.recipe import Member, ModelSpec, Recipe
from lib.training.run import Run
from lib.training.strategies import ModalityDropout
from lib.training.streams import SeededStreams
from tests.parity.mme2e_vectors import (
    BUFFERS,
    MODALITIES,
    assert_close,
    compare,
    compare_buffers,
    compare_norms,
    gradient_norms,
    load,
    model_arguments,
    model_inputs,
    packed_norms,
    run_mode,
    weighted_loss,
)
from tests.parity.reference import Vectors, golden

MODES = ("eval", "train")
SITE_ORDERS: dict[str, SiteOrder] = {
    "reference (y,x,frame) rows against (frame,y,x) features": "reference",
    "corrected": "corrected",
}


@golden("mme2e", "mme2e")
def test_dense_model(vectors: Vectors):
    model = MME2E(**model_arguments(vectors))
    computed = {}
    for mode in MODES:
        outputs, norms = run_mode(model, vectors, mode)
        computed |= outputs
        compare_norms(norms, packed_norms(vectors, mode), mode)
    compare_buffers(model, vectors)
    if "out/num_params_without_text_encoder" in vectors:
        without_text = (p.numel() for name, p in model.named_parameters() if not name.startswith("T."))
        computed["num_params_without_text_encoder"] = sum(without_text)
    compare(vectors, computed, but=BUFFERS)


@golden("mme2e", "sparse")
@pytest.mark.parametrize("form", FORMS)
def test_sparse_model(vectors: Vectors, form: str):
    config = vectors.config
    options = {
        "threshold": config["args"]["sparse_threshold"],
        "site_order": SITE_ORDERS[config["coordinate_order"]],
    }
    model = MME2ESparse(**model_arguments(vectors), **options, form=form)
    modes = [mode for mode in MODES if f"out/{mode}" in vectors]
    computed = {}
    for mode in modes:
        computed |= run_mode(model, vectors, mode)[0] | stages_as_stored(model, vectors, mode)
    if "train" in modes:
        _, norms = run_mode(model, vectors, "train")
        compare_norms(norms, packed_norms(vectors, "train"), "train")
        compare_buffers(model, vectors)
    compare(vectors, computed, but=BUFFERS if "train" in modes else ())


def stages_as_stored(model: MME2ESparse, vectors: Vectors, mode: str) -> dict[str, Tensor]:
    load(model, vectors)
    model.train(mode == "train")
    _, stages = model.with_stages(**model_inputs(vectors))
    found = {}
    for initial in set(vectors.config["args"]["modalities"]) - {"t"}:
        first, second, third = stages[MODALITIES[initial]]
        found[f"{mode}_{initial}_attn0_mask"] = first.kept
        found[f"{mode}_{initial}_loc1_locations"] = locations(second)
        found[f"{mode}_{initial}_loc2_locations"] = locations(third)
        if initial == "v":
            found[f"{mode}_v_attn0_head"] = first.probabilities[:, :2]
    return found


def locations(stage: Stage) -> Tensor:
    """(row, column, frame) of the kept sites, in the order of frame, row, column."""
    return stage.kept.nonzero()[:, [1, 2, 0]]


@dataclass(frozen=True)
class OneBatch:
    """The file's two utterances, whatever is taken of them: its steps all see the same minibatch."""

    vectors: Vectors

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def inputs(self) -> dict:
        return model_inputs(self.vectors)

    @property
    def targets(self) -> torch.Tensor:
        return self.vectors.tensor("in/labels", torch.float32)

    def take(self, index) -> "OneBatch":
        return self


@golden("mme2e", "train_steps")
def test_optimiser_steps_through_the_training_loop(vectors: Vectors, monkeypatch):
    """Text rate, clipping, cosine per minibatch and positive weights are those of the loop; an epoch is one step."""
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
    )
    norms, clip = [], nn.utils.clip_grad_norm_
    monkeypatch.setattr(nn.utils, "clip_grad_norm_", lambda *given: norms.append(clip(*given).item()))
    weights = vectors.tensor("in/pos_weight", torch.float32)  # of the file, not of these two utterances
    monkeypatch.setattr(objective, "positive_weights", lambda labels: weights)
    batch = OneBatch(vectors)
    spec = ModelSpec("end_to_end:MME2E", model_arguments(vectors))
    run = Run(Member("x", 0, spec, recipe, (), ()), batch, SeededStreams(0))
    load(run.model, vectors)
    losses, rates = [], []
    for _ in range(config["steps"]):
        run.start_epoch()
        rates.append([group["lr"] for group in run.optimiser.param_groups])
        losses.append(train_epoch(run, batch, ModalityDropout(None)))
    after = evaluate(run.model, batch, recipe)
    tolerances = {"losses": 5e-4, "grad_norms_before_clip": 5e-3, "lrs_used": 1e-9, "eval_after": 5e-3}
    computed = {"losses": losses, "grad_norms_before_clip": norms, "lrs_used": rates, "eval_after": after}
    assert set(vectors.under("out")) == set(tolerances)
    for key, tolerance in tolerances.items():
        assert_close(computed[key], vectors[f"out/{key}"], tolerance, key)


@golden("mme2e", "lf_rnn")
def test_recurrent_baseline(vectors: Vectors):
    check_baseline(vectors, LFRNN(**baseline_arguments(vectors)))


@golden("mme2e", "lf_transformer")
def test_transformer_baseline(vectors: Vectors):
    layers = vectors.config["args"]["trans_nlayers"]
    check_baseline(vectors, LFTransformer(**baseline_arguments(vectors), layers=layers, dropout=0.0))


def baseline_arguments(vectors: Vectors) -> dict:
    args = vectors.config["args"]
    return {
        "sizes": dict(zip(("text", "audio", "video"), args["hfc_sizes"], strict=True)),
        "emotions": args["num_emotions"],
        "modalities": [MODALITIES[initial] for initial in args["modalities"]],
    }


def check_baseline(vectors: Vectors, model: LFRNN | LFTransformer) -> None:
    lengths = {
        "audio_lengths": vectors.tensor("in/audio_lens"),
        "video_lengths": vectors.tensor("in/img_lens"),
    }
    batch = lengths | {
        "text": vectors.tensor("in/text"),
        "audio": pad_ragged(vectors.tensor("in/audio"), lengths["audio_lengths"]),
        "video": pad_ragged(vectors.tensor("in/img"), lengths["video_lengths"]),
    }
    computed = {}
    for mode in MODES:
        load(model, vectors)
        model.train(mode == "train").zero_grad()
        computed[mode] = model(**batch)
        computed[f"{mode}_loss"] = weighted_loss(computed[mode], vectors)
        computed[f"{mode}_loss"].backward()
        norms = vectors.under(f"gradnorm/{mode}")
        compare_norms(gradient_norms(model), {name: float(norm) for name, norm in norms.items()}, mode)
    compare(vectors, computed)
