"""Scores, the effect of SPCL, all modalities against fewer, classes, the pace, mends, and the published numbers.

Gain(%) of three modalities over two, which the paper shows without a formula, is computed in both ways, per seed and
then averaged: `gain_points` = 100 (tri - bi), `gain_relative` = 100 (tri - bi) / bi, both positive where three
modalities are better. `tri` and `bi` have the same backbone, seed, corpus, split and training. So are two modalities
compared with one, which is always trained without SPCL.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from lib.data.corpus import Source
from lib.papers.self_paced_balance import SelfPacedBalance
from lib.papers.self_paced_balance.study import TITLES, corpora, flat_labels, several, sides, subsets, variant
from lib.reporting import gains, published
from lib.reporting.statistics import mean, std, t_interval, t_test
from lib.run_table import by_seed, run_table
from lib.study import Runs

METRICS = ("weighted_f1", "acc")
EFFECT = ("backbone", "modalities", "n", "without", "with_spcl", "gain", "t_interval", "t_test_p", "verdict")
GAINS = (
    "backbone",
    "modalities",
    "over",
    "spcl",
    "n",
    "gain_points",
    "points",
    "points_p",
    "gain_relative",
    "relative",
    "verdict",
)
MENDED = ("mend", "backbone", "modalities", "spcl", "n", "baseline_score", "score", "gain", "t_interval", "verdict")
"""What is shown of the tables."""
BASELINE = "two modalities"
BETTER = "better of"
PUBLISHED = Path(__file__).with_name("published.csv")


def scores(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Mean and interval over the seeds of every variant as published."""
    return gains.summary(table[table["mend"] == ""], metric)


def effect(p: SelfPacedBalance, table: pd.DataFrame, metric: str, mend: str = "") -> pd.DataFrame:
    """What SPCL adds to each backbone on each subset, paired over the seeds (`gains.gain_table`)."""
    found = []
    for backbone in p.backbones.chosen():
        for subset in several(subsets(p, backbone, mend)):
            gain = _gain(table, metric, *pair(backbone, subset, mend))
            rest = gain.drop(["variant", "baseline", "paper_rule"]).to_dict()
            found.append({"backbone": TITLES[backbone], "modalities": subset} | _off_and_on(gain) | rest)
    return pd.DataFrame(found).round(12)  # equal scores leave a gain of 1e-17


def pair(backbone: str, subset: str, mend: str = "") -> tuple[str, str]:
    """Variants without and with SPCL; a mend of SPCL's loss does not touch the former. One modality has no SPCL."""
    without = variant(backbone, subset, spcl=False, mend="" if mend == "selected" else mend)
    return without, variant(backbone, subset, spcl=True, mend=mend) if len(subset) > 1 else without


def _gain(table: pd.DataFrame, metric: str, baseline: str, other: str) -> pd.Series:
    return gains.gain_table(table[table["variant"].isin((baseline, other))], metric, baseline).iloc[0]


def _off_and_on(gain: pd.Series) -> dict[str, float]:
    names = {"without": "baseline_score", "with_spcl": "score"}
    return {f"{ours}{end}": gain[f"{theirs}{end}"] for ours, theirs in names.items() for end in ("", "_std")}


def name_over_fewer(p: SelfPacedBalance) -> str:
    """Of the tables and the figure of `over_fewer`."""
    return "trimodal" if len(p.whole) == 3 else "bimodal"


def gain_values(
    p: SelfPacedBalance, table: pd.DataFrame, metric: str, backbone: str, over: str, *, spcl: bool, mend: str = ""
) -> pd.DataFrame:
    """By seed: `gain_points` and `gain_relative` of all modalities over the subset `over`, or `BETTER` several.

    Which of several is better says the development set of each seed, by weighted F1.
    """
    seeds, names = by_seed(table, metric), over.removeprefix(BETTER).split(", ")
    fewer = seeds[[pair(backbone, name.strip(), mend)[spcl] for name in names]]
    if len(names) > 1:
        chosen = by_seed(table, METRICS[0], "valid")[[*fewer]].rank(axis=1, ascending=False, method="first") == 1
        fewer = fewer.where(chosen)
    more, fewer = seeds[pair(backbone, p.whole, mend)[spcl]], fewer.sum(axis=1, min_count=1)
    return pd.DataFrame({"gain_points": 100 * (more - fewer), "gain_relative": 100 * (more - fewer) / fewer}).dropna()


def over_fewer(p: SelfPacedBalance, table: pd.DataFrame, metric: str, mend: str = "") -> pd.DataFrame:
    """Gain(%) of all modalities over all but one, without SPCL, with it, and what SPCL changes (`with - without`).

    Over one modality what SPCL changes is its effect on two, and has no row here; instead there is the gain over the
    better of both. The verdict is that of `gain_points`: `positive` or `negative` where its 95 % t-interval leaves out
    0.
    """
    found = []
    for backbone in p.backbones.chosen():
        trained = subsets(p, backbone, mend)
        fewer = [subset for subset in trained if subset != p.whole and p.whole in trained]
        alone = [subset for subset in fewer if len(subset) == 1]
        for over in (*fewer, *([f"{BETTER} {', '.join(alone)}"] if len(alone) > 1 else [])):
            without, on = (gain_values(p, table, metric, backbone, over, spcl=s, mend=mend) for s in (False, True))
            values = {"without": without, "with": on}
            if not alone:
                values["with - without"] = (on - without).dropna()
            about = {"backbone": TITLES[backbone], "modalities": p.whole, "over": over}
            found += [about | {"spcl": k, "metric": metric, "n": len(v)} | _about(v) for k, v in values.items()]
    return pd.DataFrame(found)


def _about(values: pd.DataFrame) -> dict[str, float | str]:
    row = {}
    for name, short in (("gain_points", "points"), ("gain_relative", "relative")):
        x = values[name].to_numpy()
        row[name] = mean(x)
        row[f"{name}_std"] = std(x)
        row[f"{short}_low"], row[f"{short}_high"] = t_interval(x)
        row[f"{short}_p"] = t_test(x)
    return row | {"verdict": gains.verdict(row["points_low"], row["points_high"])}


def classes(runs: Runs) -> pd.DataFrame:
    """F1 of each class on the test set, all modalities, without and with SPCL, and the paired gain.

    `test utterances` are those of all folds, where the seeds test different ones.
    """
    p, folds, found = runs.study.p, corpora(runs.study), []
    labels = np.concatenate([flat_labels(corpus, "test") for corpus in folds])
    for backbone in p.backbones.chosen():
        for number, name in enumerate(folds[0].label_names):
            gain = _gain(runs.table, f"f1_class_{number}", *pair(backbone, p.whole))
            row = {"backbone": TITLES[backbone], "class": name, "test utterances": int((labels == number).sum())}
            kept = ("gain", "t_interval_low", "t_interval_high")
            found.append(row | _off_and_on(gain) | {column: gain[column] for column in kept})
    return pd.DataFrame(found)


def curves(runs: Runs) -> pd.DataFrame:
    """By backbone, seed and epoch (from 0): `threshold`, `selected_share` and each modality's `ratio_...`.

    Of the runs as published on all modalities that have a score.
    """
    parts = []
    for record in runs.records:
        if record.tags["mend"] or record.tags["modalities"] != runs.study.p.whole or not record.scored:
            continue
        kept = {k: v for k, v in record.history.items() if k in ("threshold", "selected_share") or k[:6] == "ratio_"}
        part = pd.DataFrame(kept)
        part.insert(0, "epoch", np.arange(len(part)))
        about = {"backbone": TITLES[record.tags["backbone"]], "spcl": record.tags["spcl"], "seed": record.seed}
        parts.append(part.assign(**about))
    columns = ["epoch", "threshold", "selected_share", "backbone", "spcl", "seed"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def mend_claims(p: SelfPacedBalance, table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Each mend's effect on the two claims, as published beside mended, with the verdicts on both.

    `quantity` is the gain of SPCL on a subset in points, or the gain in points of all modalities over fewer, with SPCL.
    """
    rows, published_claims = [], _claims(p, table, metric, "")
    for mend in p.mends:
        for (backbone, quantity), mended in _claims(p, table, metric, mend).items():
            row = {"mend": mend, "backbone": backbone, "quantity": quantity}
            as_published = published_claims[backbone, quantity]
            for name, values in (("as_published", as_published), ("mended", mended)):
                row |= {name: values[0], f"{name}_interval_low": values[1], f"{name}_interval_high": values[2]}
            rows.append(row | {"verdict_published": as_published[3], "verdict_mended": mended[3]})
    return pd.DataFrame(rows)


def _claims(p: SelfPacedBalance, table: pd.DataFrame, metric: str, mend: str) -> dict[tuple[str, str], tuple]:
    """(points, both ends of their interval, verdict) by backbone and quantity."""
    found = {}
    for row in effect(p, table, metric, mend).to_dict("records"):
        values = (100 * row[name] for name in ("gain", "t_interval_low", "t_interval_high"))
        found[row["backbone"], f"SPCL on {row['modalities']}"] = (*values, row["verdict"])
    for row in over_fewer(p, table, metric, mend).to_dict("records"):
        if row["spcl"] == "with":
            numbers = (row["gain_points"], row["points_low"], row["points_high"], row["verdict"])
            found[row["backbone"], f"{p.whole} over {row['over']}, with SPCL"] = numbers
    return found


def mend_scores(p: SelfPacedBalance, table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """What a mend does to the score itself, paired over the seeds, without and with SPCL."""
    kept = ("n", "score", "score_std", "baseline_score", "baseline_score_std", "gain", "verdict")
    kept += ("t_interval_low", "t_interval_high")
    return pd.DataFrame(
        {"mend": mend, "backbone": TITLES[backbone], "modalities": subset, "spcl": "with" if spcl else "without"}
        | _gain(table, metric, *(variant(backbone, subset, spcl=spcl, mend=m) for m in ("", mend)))[[*kept]].to_dict()
        for mend in p.mends
        for backbone in p.backbones.chosen()
        for subset in subsets(p, backbone, mend)
        for spcl in sides(mend, subset)
    )


def deviations(p: SelfPacedBalance) -> list[str]:
    """How a run on the paper's files differs from what is known of its protocol (spec self_paced_balance, 4 and
    4.2)."""
    if not published_corpus(p):
        return []
    found = [f"batches of {p.batch_size} dialogues instead of 16 or 32"] * (p.batch_size not in (16, 32))
    found += [f"feed-forward width {p.feedforward} instead of 2048"] * (p.feedforward != 2048)
    short = [TITLES[name] for name, setting in p.backbones.chosen().items() if setting.epochs < 50]
    found += [f"fewer than 50 epochs for {', '.join(short)}"] * bool(short)
    return found + ["another development set"] * (p.split != "paper")


def published_corpus(p: SelfPacedBalance) -> bool:
    """Whether the run is on the file of the published gains."""
    return p.dataset == "iemocap_conversations"


def published_gains(p: SelfPacedBalance, source: Source, table: pd.DataFrame) -> pd.DataFrame:
    """The published Gain(%) without SPCL beside both of ours, judged by `published.VERDICT_RULE`.

    A gain over nothing is 0, so "two modalities" is a baseline of zeros.
    """
    paper, found = published.runs(PUBLISHED, "iemocap"), []
    options = {"baseline": BASELINE, "source": source, "same_corpus": published_corpus(p), "deviations": deviations(p)}
    for metric in METRICS:
        for formula in ("gain_points", "gain_relative"):
            theirs = paper[paper["metric"] == metric].assign(metric=formula)
            ours = run_table(_gain_runs(p, table, metric, formula))
            rows = published.compare(theirs, ours, metric=formula, tolerance=0.5, better="higher", **options)
            listed = (rows["quantity"] != formula) & rows["variant"].isin(theirs["variant"])
            found.append(rows[listed].assign(quantity=f"{formula} of {metric}"))
    return pd.concat(found, ignore_index=True)


def _gain_runs(p: SelfPacedBalance, table: pd.DataFrame, metric: str, formula: str) -> Iterator[dict[str, object]]:
    """A run per seed and gain of all modalities over fewer, without SPCL, and the zero that it is compared with."""
    status = {"selected_on": "as the runs it is made of", "status": "derived"}
    for seed in p.seeds:
        yield {"variant": BASELINE, "seed": seed, "metrics": {"test": {formula: 0.0}}, **status}
    for backbone in p.backbones.chosen():
        for over in (subset for subset in subsets(p, backbone) if subset != p.whole):
            values = gain_values(p, table, metric, backbone, over, spcl=False)[formula]
            for seed, value in values.items():
                row = {"variant": f"{TITLES[backbone]}: {p.whole} over {over}", "seed": int(seed)}
                yield row | {"metrics": {"test": {formula: float(value)}}, **status}


def published_claims(p: SelfPacedBalance, source: Source, effect: pd.DataFrame) -> pd.DataFrame:
    """The improvements that the abstract claims for SPCL beside ours over all backbones and subsets, in points.

    The abstract does not say of which backbone and subset, nor whether its per cent are points.
    """
    gain, rows = 100 * effect["gain"], []
    for corpus, metric, value in published.runs(PUBLISHED, "abstract")[["variant", "metric", "value"]].to_numpy():
        ours = gain.min() if metric.startswith("smallest") else gain.max()
        same = p.dataset == f"{corpus.lower()}_conversations"
        why = ["stand-in data"] * source.synthetic + ["different corpus"] * (not same)
        verdict = f"not comparable: {', '.join(why or ['which backbone and subset is not said'])}"
        rows.append({"claim": f"{corpus}: {metric}", "paper": value, "reproduced": float(ours), "verdict": verdict})
    return pd.DataFrame(rows)
