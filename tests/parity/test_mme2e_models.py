"""The end-to-end models and their baselines against the reference."""

import pytest
import torch
from torch import Tensor, nn

from lib.models.end_to_end import MME2E
from lib.models.end_to_end_sparse import MME2ESparse, SiteOrder, Stage
from lib.models.handcrafted_baselines import LFRNN, LFTransformer
from lib.models.sequence_encoder import pad_ragged
from lib.models.sparse_sites import FORMS
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


@golden("mme2e", "train_steps")
def test_optimiser_steps(vectors: Vectors):
    config = vectors.config
    model = MME2E(**model_arguments(vectors))
    load(model, vectors)
    text = model.text_parameters()
    chosen = {name for name, _ in text}
    slow = config["lr"] / config["text_lr_factor"]
    optimiser = torch.optim.Adam(
        [
            {"params": [pair for pair in text if pair[0].startswith("T.")], "lr": slow},
            {"params": [pair for pair in text if pair[0].startswith("t_out.")], "lr": slow},
            {
                "params": [pair for pair in model.named_parameters() if pair[0] not in chosen],
                "lr": config["lr"],
            },
        ]
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, **config["scheduler"])
    losses, norms, rates = [], [], []
    for _ in range(config["steps"]):
        optimiser.zero_grad()
        loss = weighted_loss(model.train()(**model_inputs(vectors)), vectors)
        loss.backward()
        losses.append(loss.item())
        norms.append(nn.utils.clip_grad_norm_(model.parameters(), config["clip"]).item())
        rates.append([group["lr"] for group in optimiser.param_groups])
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        after = model.eval()(**model_inputs(vectors))
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
