"""What the notebook `self_paced_balance` shows: scores, the effect of SPCL, tri- against bi-modal, classes, mends.

Gain(%) of three modalities over two, which the paper shows without a formula, is computed in both ways, per seed and
then averaged: `gain_points` = 100 (tri - bi), `gain_relative` = 100 (tri - bi) / bi, both positive where three
modalities are better. `tri` and `bi` have the same backbone, seed, corpus, split and training.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from lib.data.corpus import Corpus
from lib.metrics import scores as metrics
from lib.papers.self_paced_balance import TITLES, mended, variant
from lib.params.self_paced_balance import SelfPacedBalance
from lib.reporting import gains
from lib.reporting.lost_runs import confusable
from lib.reporting.statistics import t_interval, t_test
from lib.run_table import by_seed, run_table
from lib.training.records import Record

TRI = "atv"
SCORES = ("weighted_f1", "acc")
EFFECT = ("backbone", "modalities", "n", "without", "with_spcl", "gain", "t_interval", "t_test_p", "verdict")
GAINS = ("backbone", "over", "spcl", "n", "gain_points", "points", "points_p", "gain_relative", "relative", "verdict")


def flat_labels(corpus: Corpus, split: str) -> np.ndarray:
    """`(N,)`: the labels of the real utterances, one dialogue after another."""
    labels = corpus.splits[split].labels
    return labels[labels >= 0]


def scores(p: SelfPacedBalance, corpora: Mapping[int, Corpus], records: Sequence[Record]) -> pd.DataFrame:
    """The long run table: every metric of development and test, per run."""
    origin = "the authors' README" if isinstance(p.pace, str) else "fixed in the YAML"
    return run_table(
        {
            "variant": record.variant,
            "seed": record.seed,
            "metrics": {split: split_scores(corpora[record.seed], split, out) for split, out in record.outputs.items()},
            "selected_on": f"epoch: {record.selected_on['epoch']}; threshold and growth: {origin}",
            "best_epoch": record.best_epoch,
            "status": record.status,
            "reason": record.reason,
            **{name: record.tags[name] for name in ("backbone", "modalities", "spcl", "mend", "development")},
            "epochs": len(record.history.get("train_loss", ())),
            "seconds": record.seconds,
        }
        for record in records
    )


def split_scores(corpus: Corpus, split: str, outputs: np.ndarray) -> dict[str, float]:
    return metrics.classification(outputs, flat_labels(corpus, split), len(corpus.label_names))


def score_table(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Mean and interval over the seeds of every variant as published."""
    return gains.summary(table[table["mend"] == ""], metric).drop(columns="rate")


def effect_table(p: SelfPacedBalance, table: pd.DataFrame, metric: str, mend: str = "") -> pd.DataFrame:
    """What SPCL adds to each backbone on each subset, paired over the seeds (`gains.gain_table`)."""
    found = []
    subsets = p.mend_subsets if mend else p.subsets
    for backbone in p.backbones.chosen():
        for subset in subsets if not mend or mended(backbone, mend) else ():
            without, on = _pair(backbone, subset, mend)
            pair = gains.gain_table(table[table["variant"].isin((without, on))], metric, without).iloc[0]
            found.append(
                {
                    "backbone": TITLES[backbone],
                    "modalities": subset,
                    "without": pair["baseline_score"],
                    "without_std": pair["baseline_score_std"],
                    "with_spcl": pair["score"],
                    "with_spcl_std": pair["score_std"],
                    **pair.drop(["variant", "rate", "baseline", "paper_rule"]).to_dict(),
                }
            )
    return pd.DataFrame(found).round(12)  # equal scores leave a gain of 1e-17


def _pair(backbone: str, subset: str, mend: str) -> tuple[str, str]:
    """Variants without and with SPCL; a mend of the loss of SPCL does not touch the former."""
    without = variant(backbone, subset, spcl=False, mend="" if mend == "selected" else mend)
    return without, variant(backbone, subset, spcl=True, mend=mend)


def trimodal_values(
    table: pd.DataFrame, metric: str, backbone: str, over: str, *, spcl: bool, mend: str = ""
) -> pd.DataFrame:
    """By seed: `gain_points` and `gain_relative` of three modalities over the subset `over`."""
    seeds = by_seed(table, metric)
    tri, bi = (seeds[_pair(backbone, subset, mend)[spcl]] for subset in (TRI, over))
    return pd.DataFrame({"gain_points": 100 * (tri - bi), "gain_relative": 100 * (tri - bi) / bi}).dropna()


def trimodal_table(p: SelfPacedBalance, table: pd.DataFrame, metric: str, mend: str = "") -> pd.DataFrame:
    """Gain(%) of three modalities over each pair, without SPCL, with it, and what SPCL changes (`with - without`).

    The verdict is that of `gain_points`: `positive` or `negative` where its 95 % t-interval leaves out 0.
    """
    found, subsets = [], p.mend_subsets if mend else p.subsets
    for backbone in p.backbones.chosen():
        if mend and not mended(backbone, mend):
            continue
        for over in (subset for subset in subsets if subset != TRI and TRI in subsets):
            without, on = (trimodal_values(table, metric, backbone, over, spcl=s, mend=mend) for s in (False, True))
            for spcl, values in (("without", without), ("with", on), ("with - without", (on - without).dropna())):
                row = {"backbone": TITLES[backbone], "over": over, "spcl": spcl, "metric": metric, "n": len(values)}
                found.append(row | _about(values))
    return pd.DataFrame(found)


def _about(values: pd.DataFrame) -> dict[str, float | str]:
    row = {}
    for name, short in (("gain_points", "points"), ("gain_relative", "relative")):
        x = values[name].to_numpy()
        row[name] = float(np.mean(x)) if len(x) else np.nan
        row[f"{name}_std"] = float(np.std(x, ddof=1)) if len(x) > 1 else np.nan
        row[f"{short}_low"], row[f"{short}_high"] = t_interval(x)
        row[f"{short}_p"] = t_test(x)
    return row | {"verdict": gains.verdict(row["points_low"], row["points_high"])}


def class_table(p: SelfPacedBalance, corpus: Corpus, table: pd.DataFrame, subset: str = TRI) -> pd.DataFrame:
    """F1 of each class on the test set, without and with SPCL, and the paired gain."""
    labels, found = flat_labels(corpus, "test"), []
    for backbone in p.backbones.chosen():
        without, on = _pair(backbone, subset, "")
        for number, name in enumerate(corpus.label_names):
            pair = gains.gain_table(table[table["variant"].isin((without, on))], f"f1_class_{number}", without).iloc[0]
            found.append(
                {
                    "backbone": TITLES[backbone],
                    "class": name,
                    "test utterances": int((labels == number).sum()),
                    "without": pair["baseline_score"],
                    "without_std": pair["baseline_score_std"],
                    "with_spcl": pair["score"],
                    "with_spcl_std": pair["score_std"],
                    "gain": pair["gain"],
                    "t_interval_low": pair["t_interval_low"],
                    "t_interval_high": pair["t_interval_high"],
                }
            )
    return pd.DataFrame(found)


def confusion_panels(
    corpora: Mapping[int, Corpus], records: Sequence[Record], backbone: str, subset: str = TRI
) -> list[tuple[str, np.ndarray]]:
    """(title, counts) without and with SPCL, test set, summed over the seeds; a title says if some are missing."""
    classes = range(len(next(iter(corpora.values())).label_names))
    panels = []
    for title, name in zip(("without SPCL", "with SPCL"), _pair(backbone, subset, ""), strict=True):
        counts = np.zeros((len(classes), len(classes)), np.int64)
        runs, lacking = confusable(records, name, len(corpora))
        for record in runs:
            found = metrics.predicted_classes(record.outputs["test"])
            counts += metrics.confusion(flat_labels(corpora[record.seed], "test"), found, classes)
        panels.append((f"{title}{lacking}", counts))
    return panels


def curves(p: SelfPacedBalance, records: Sequence[Record], subset: str = TRI) -> pd.DataFrame:
    """By backbone, seed and epoch (from 0): `threshold`, `selected_share` and each modality's `ratio_...`.

    Of the runs that have a score.
    """
    parts = []
    for record in records:
        if record.tags["mend"] or record.tags["modalities"] != subset or not record.scored:
            continue
        kept = {k: v for k, v in record.history.items() if k in ("threshold", "selected_share") or k[:6] == "ratio_"}
        part = pd.DataFrame(kept)
        part.insert(0, "epoch", np.arange(len(part)))
        about = {"backbone": TITLES[record.tags["backbone"]], "spcl": record.tags["spcl"], "seed": record.seed}
        parts.append(part.assign(**about))
    columns = ["epoch", "threshold", "selected_share", "backbone", "spcl", "seed"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def mend_table(p: SelfPacedBalance, table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Each mend's effect on the two claims, as published beside mended.

    `quantity` is the gain of SPCL on a subset in points, or the gain in points of three modalities over two, with
    SPCL. `change` says whether the verdict is another one.
    """
    rows = []
    for mend in p.mends:
        for key, mine in _claims(p, table, metric, mend).items():
            published = _claims(p, table, metric, "")[key]
            rows.append(
                {
                    "mend": mend,
                    "backbone": key[0],
                    "quantity": key[1],
                    "as_published": published[0],
                    "as_published_interval_low": published[1],
                    "as_published_interval_high": published[2],
                    "mended": mine[0],
                    "mended_interval_low": mine[1],
                    "mended_interval_high": mine[2],
                    "verdict_published": published[3],
                    "verdict_mended": mine[3],
                }
            )
    return pd.DataFrame(rows)


def _claims(p: SelfPacedBalance, table: pd.DataFrame, metric: str, mend: str) -> dict[tuple[str, str], tuple]:
    found = {}
    for row in effect_table(p, table, metric, mend).to_dict("records"):
        values = (100 * row[name] for name in ("gain", "t_interval_low", "t_interval_high"))
        found[row["backbone"], f"SPCL on {row['modalities']}"] = (*values, row["verdict"])
    for row in trimodal_table(p, table, metric, mend).to_dict("records"):
        if row["spcl"] == "with":
            numbers = (row["gain_points"], row["points_low"], row["points_high"], row["verdict"])
            found[row["backbone"], f"{TRI} over {row['over']}, with SPCL"] = numbers
    return found


def mend_scores(p: SelfPacedBalance, table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """What a mend does to the score itself, paired over the seeds, without and with SPCL."""
    rows = []
    for mend, backbone, subset in _mended_variants(p):
        for spcl in (True,) if mend == "selected" else (False, True):
            pair = [variant(backbone, subset, spcl=spcl, mend=m) for m in ("", mend)]
            found = gains.gain_table(table[table["variant"].isin(pair)], metric, pair[0]).iloc[0]
            kept = ("n", "score", "score_std", "baseline_score", "baseline_score_std", "gain", "verdict")
            rows.append(
                {
                    "mend": mend,
                    "backbone": TITLES[backbone],
                    "modalities": subset,
                    "spcl": "with" if spcl else "without",
                }
                | {name: found[name] for name in (*kept, "t_interval_low", "t_interval_high")}
            )
    return pd.DataFrame(rows)


def _mended_variants(p: SelfPacedBalance) -> Iterator[tuple[str, str, str]]:
    for mend in p.mends:
        for backbone in p.backbones.chosen():
            for subset in p.mend_subsets if mended(backbone, mend) else ():
                yield mend, backbone, subset
