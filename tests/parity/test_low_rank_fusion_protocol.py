"""What surrounds the LMF models: data rules, search draws, early stopping and scores against the published
scripts.
"""

import math
from itertools import islice

import numpy as np

from lib.data.arrays.lmf_pickles import ARRAYS, clean_nan
from lib.data.arrays.sequences import max_abs, pad, time_mean
from lib.papers.low_rank_fusion import SPACES, draws
from lib.training.selection import Selection
from tests.parity.closeness import SINGLE, check
from tests.parity.reference import Vectors, golden
from tests.parity.script_scores import lmf_iemocap, lmf_mosi, lmf_pom, mmsa_mosi, tfn_mosi

REFERENCE_SCORES = {
    "mosi": {
        "mae": "mae",
        "corr": "corr",
        "acc7_rounded": "multi_acc",
        "acc2_nonneg": "bi_acc",
        "f1_binary_weighted": "f1",
    },
    "tfn": {
        "acc2_nonneg": "test_binacc",
        "precision_positive": "test_precision",
        "recall_positive": "test_recall",
        "f1_positive": "test_f1",
        "acc7_rounded": "test_septacc",
        "corr": "test_corr",
    },
    "mmsa": {
        "acc2_nonneg": "Has0_acc_2",
        "f1_binary_weighted": "Has0_F1_score",
        "acc2_nonzero": "Non0_acc_2",
        "f1_nonzero_weighted": "Non0_F1_score",
        "acc5_clipped": "Mult_acc_5",
        "acc7_clipped": "Mult_acc_7",
        "mae": "MAE",
        "corr": "Corr",
    },
    "pom": {"mae": "mae", "corr": "corr", "acc_rounded": "mult_acc"},
    "iemocap": {"weighted_f1": "f1", "acc": "acc_score"},
}


def padded(vectors: Vectors) -> dict[str, object]:
    steps = int(vectors["in/max_len"])
    sequences = np.split(vectors["in/flat"], np.cumsum(vectors["in/lengths"])[:-1])
    in_front, _ = pad(sequences, steps, "front")
    behind, _ = pad(sequences, steps, "back")
    words, _ = pad([np.arange(1, len(sequence) + 1) for sequence in sequences], steps, "back")
    audio = vectors["out/tfn_trailing/covarep"].shape[-1]  # the first columns; the others are video
    train, test = vectors["in/scale/train"], vectors["in/scale/test"]
    divisor = max_abs(train)
    return {
        "mosi_leading": in_front,
        "pom_leading": in_front,
        "iemocap_trailing": behind,
        "tfn_trailing/covarep": behind[..., :audio],
        "tfn_trailing/facet": behind[..., audio:],
        "tfn_trailing/word_ix": words,
        "scale/max_abs": divisor,
        "scale/train_mean": time_mean(train / divisor),
        "scale/test_mean": time_mean(test / divisor),
    }


def cleaned(vectors: Vectors) -> dict[str, object]:
    found = {}
    for split in vectors.names("in"):
        stored = vectors.under(f"in/{split}")
        clean, _ = clean_nan({modality: stored[key] for modality, key in ARRAYS.items()})
        found |= {f"{split}/{ARRAYS[modality]}": array for modality, array in clean.items()}
    found["input_dims"] = [found[f"train/{ARRAYS[modality]}"].shape[-1] for modality in ("audio", "video", "text")]
    return found


def drawn_settings(vectors: Vectors) -> dict[str, object]:
    config, found = vectors.config, {}
    for dataset, grid in config["grids"].items():
        space = SPACES[dataset]
        assert {name: list(values) for name, values in space.items()} == grid
        assert list(space) == config["columns"]
        found[f"{dataset}/total_settings"] = math.prod(len(values) for values in space.values())
        for seed in config["seeds"]:
            settings = islice(draws(space, seed), config["n"])
            found[f"{dataset}/seed{seed}"] = [list(setting.values()) for setting in settings]
    return found


def early_stops(vectors: Vectors) -> dict[str, object]:
    found = {}
    for case, config in enumerate(vectors.config):
        rule, improved = Selection(config["patience"], abandon_on_nan=True), []
        for value in vectors[f"in/{case}/val_loss"]:
            better = rule.update(float(value))
            if not rule.abandoned:
                improved.append(better)
            if rule.stop:
                break
        found |= {
            f"{case}/epochs_run": rule.epochs,
            f"{case}/best_epoch": rule.best_epoch,
            f"{case}/best_value": rule.best_value,
            f"{case}/complete": not rule.abandoned,
            f"{case}/improved": improved,
        }
    return found


def scores_of_the_scripts(vectors: Vectors) -> dict[str, object]:
    found = {}
    for case in vectors.names("in/mosi"):
        predictions, labels = (vectors[f"in/mosi/{case}/{name}"] for name in ("pred", "label"))
        for script, scores in (("mosi", lmf_mosi), ("tfn", tfn_mosi), ("mmsa", mmsa_mosi)):
            found |= renamed(scores(predictions, labels), script, f"{script}/{case}")
    found |= renamed(lmf_pom(vectors["in/pom/pred"], vectors["in/pom/label"]), "pom", "pom")
    for case in [name for name in vectors.names("in") if name.startswith("iemocap")]:
        scores = lmf_iemocap(vectors[f"in/{case}/pred"], vectors[f"in/{case}/label"].argmax(axis=1))
        found |= renamed(scores, "iemocap", case)
    return found


def renamed(scores: dict, script: str, prefix: str) -> dict:
    """Our scores under the script's names; scores that it does not have are left out."""
    return {f"{prefix}/{theirs}": scores[ours] for ours, theirs in REFERENCE_SCORES[script].items()}


KINDS = {
    "padding": (padded, None),
    "nan_clean": (cleaned, None),
    "search_draws": (drawn_settings, None),
    "early_stop": (early_stops, None),
    "metrics": (scores_of_the_scripts, SINGLE),  # the scripts average in float32
}


def check_rule(vectors: Vectors) -> None:
    """Every stored array has a counterpart of ours, and the two agree."""
    compute, unit = KINDS[str(vectors["kind"])]
    keys = vectors.keys("out")
    check(
        vectors,
        lambda near: {f"out/{key}": x for key, x in compute(near).items()},
        keys,
        unit=unit,
        group=str,
        neighbours=0,
    )


@golden("lmf", *KINDS)
def test_rule(vectors):
    check_rule(vectors)
