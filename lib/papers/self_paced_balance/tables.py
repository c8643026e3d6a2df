"""Scores, the effect of SPCL, classes, the pace, mends, and the published numbers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lib.data.corpus import Source
from lib.papers.self_paced_balance import Mend, SelfPacedBalance, over_fewer
from lib.papers.self_paced_balance.over_fewer import compared, values
from lib.papers.self_paced_balance.study import corpora, flat_labels
from lib.papers.self_paced_balance.variants import TITLES, pair, several, sides, subsets, variant
from lib.reporting import claims, gains, mended_claims, published
from lib.reporting.gains import Side
from lib.reporting.mended_claims import Comparison
from lib.run_table import run_table
from lib.study import Runs

METRICS = ("weighted_f1", "acc")
SIDES = ["variant", "baseline"]
"""Of gain tables: what `backbone` and `modalities` say in the tables that are kept."""
_WORTH = ("gain", "t_interval", "new_units", "combined", "combined_p", "holm_p", "answer")
EFFECT = ("backbone", "modalities", "n", "units", "without", "with_spcl", *_WORTH)
CLASSES = ("backbone", "class", "test utterances", "without", "with_spcl", *_WORTH)
MENDED = ("mend", "backbone", "modalities", "spcl", "n", "baseline_score", "score", *_WORTH)
"""What is shown of the tables."""
QUIRKS: dict[Mend, str] = {"selected": "1", "masks": "3", "axis": "4"}
"""What each mend mends, as `quirks.csv` calls it."""
BASELINE = "two modalities"
PUBLISHED = Path(__file__).with_name("published.csv")


def scores(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Mean and interval over the seeds of every variant as published."""
    return gains.summary(table[table["mend"] == ""], metric)


def effect(runs: Runs, metric: str, mend: str = "") -> pd.DataFrame:
    """What SPCL adds to each backbone on each subset, paired over the seeds: rows of gain tables."""
    p, each = runs.study.p, gains.sides(runs.table, metric, runs=runs)
    found = _table(
        {"backbone": TITLES[backbone], "modalities": subset} | _off_and_on(each, pair(backbone, subset, mend), metric)
        for backbone in p.backbones.chosen()
        for subset in several(subsets(p, backbone, mend))
    )
    return found.round(12)  # equal scores leave a gain of 1e-17


def _off_and_on(each: Mapping[str, Side], names: tuple[str, str], metric: str) -> dict[str, object]:
    """The row of the second over the first, the scores also as without and with SPCL."""
    gain = gains.between(each[names[1]], each[names[0]], metric)
    kept = {"without": "baseline_score", "with_spcl": "score"}
    return {f"{ours}{end}": gain[f"{theirs}{end}"] for ours, theirs in kept.items() for end in ("", "_std")} | gain


def _table(rows: Iterable[Mapping[str, object]]) -> pd.DataFrame:
    return gains.adjusted(pd.DataFrame(rows).drop(columns="paper_rule", errors="ignore"))


def classes(runs: Runs) -> pd.DataFrame:
    """F1 of each class on the test set, all modalities, without and with SPCL, and the paired gain.

    `test utterances` are those of all folds, where the seeds test different ones.
    """
    p, folds = runs.study.p, corpora(runs.study)
    labels = np.concatenate([flat_labels(corpus, "test") for corpus in folds])
    metrics = {name: f"f1_class_{number}" for number, name in enumerate(folds[0].label_names)}
    each = {name: gains.sides(runs.table, metric, runs=runs) for name, metric in metrics.items()}
    return _table(
        {"backbone": TITLES[backbone], "class": name, "test utterances": int((labels == number).sum())}
        | _off_and_on(each[name], pair(backbone, p.whole), metric)
        for backbone in p.backbones.chosen()
        for number, (name, metric) in enumerate(metrics.items())
    )


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


def claims_mended(runs: Runs, metric: str) -> pd.DataFrame:
    """What each mend does to the two claims: SPCL's gain, and what it changes in the gain of all modalities over fewer
    (over one modality, the gain with SPCL over the better one); rows of `mended_claims.table`.

    Of the second as far as what it compares was trained under the mend.
    """
    p, each = runs.study.p, gains.sides(runs.table, metric, runs=runs)
    raises, third = (claims.named(name) for name in ("spcl_raises_f1", "third_modality_gains"))
    points = third.margin_in(f"{over_fewer.name(p)}_{metric}")
    found = []
    for mend in p.mends:
        about = {"quirk": QUIRKS[mend], "mend": mend}
        for backbone in p.backbones.chosen():
            for subset in several(subsets(p, backbone, mend)):
                on_and_off = ([each[name] for name in reversed(pair(backbone, subset, m))] for m in ("", mend))
                what = f"SPCL on {TITLES[backbone]} {subset}"
                margin = raises.margin_in(f"spcl_effect_{metric}")
                found.append(Comparison(**about, claim=raises, margin=margin, what=what, **_sides(on_and_off)))
            for over in over_fewer.claimed_of(p, backbone, mend):
                asked = (over_fewer.claim(runs, each, backbone, over, m) for m in ("", mend))
                what = f"{TITLES[backbone]} {p.whole} over {over}"
                found.append(Comparison(**about, claim=third, margin=points / 100, what=what, **_sides(asked)))
    return mended_claims.table(found, metric)


def _sides(pairs: Iterable[Sequence[Side]]) -> dict[str, tuple[Side, Side]]:
    """Of a comparison, from its sides as published and mended."""
    published, mended = pairs
    return {"published": tuple(published), "mended": tuple(mended)}


def mend_scores(runs: Runs, metric: str) -> pd.DataFrame:
    """What a mend does to the score itself, paired over the seeds, without and with SPCL."""
    p, each = runs.study.p, gains.sides(runs.table, metric, runs=runs)
    return _table(
        {"mend": mend, "backbone": TITLES[backbone], "modalities": subset, "spcl": "with" if spcl else "without"}
        | gains.between(*(each[variant(backbone, subset, spcl=spcl, mend=m)] for m in (mend, "")), metric)
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


def published_gains(runs: Runs) -> pd.DataFrame:
    """The published Gain(%) without SPCL beside both of ours, judged by `published.VERDICT_RULE`.

    A gain over nothing is 0, so "two modalities" is a baseline of zeros.
    """
    p, source, paper, found = runs.study.p, runs.study.tasks[0].corpus.source, published.runs(PUBLISHED, "iemocap"), []
    options = {"baseline": BASELINE, "source": source, "same_corpus": published_corpus(p), "deviations": deviations(p)}
    for metric in METRICS:
        for formula in ("gain_points", "gain_relative"):
            theirs = paper[paper["metric"] == metric].assign(metric=formula)
            ours = run_table(_gain_runs(runs, metric, formula))
            rows = published.compare(theirs, ours, metric=formula, tolerance=0.5, better="higher", **options)
            listed = (rows["quantity"] != formula) & rows["variant"].isin(theirs["variant"])
            found.append(rows[listed].assign(quantity=f"{formula} of {metric}"))
    return pd.concat(found, ignore_index=True)


def _gain_runs(runs: Runs, metric: str, formula: str) -> Iterator[dict[str, object]]:
    """A run per seed and gain of all modalities over fewer, without SPCL, and the zero that it is compared with."""
    p, each = runs.study.p, gains.sides(runs.table, metric)
    status = {"selected_on": "as the runs it is made of", "status": "derived"}
    for seed in p.seeds:
        yield {"variant": BASELINE, "seed": seed, "metrics": {"test": {formula: 0.0}}, **status}
    for backbone in p.backbones.chosen():
        for over in (subset for subset in subsets(p, backbone) if subset != p.whole):
            found = values(*compared(runs, each, backbone, over, spcl=False))[formula]
            for seed, value in found.items():
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
