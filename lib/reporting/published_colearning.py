"""The published numbers of the co-learning paper as run tables (spec colearning, sections 4.5 and 10).

Variants are named as in our own run tables: "rate 0.8" and "text only".
"""

import re

import pandas as pd

from lib.errors import InputError
from lib.reporting.published import select
from lib.run_table import run_table

PAPER = "Magal et al., Negative to Positive Co-learning with Aggressive Modality Dropout (arXiv 2501.00865)"
CLASSES = ("fea", "neu", "ang", "fru", "exc", "sur", "hap", "dis", "sad")  # order of the published matrices
UNIMODAL = "text only"
STORED = "test, stored notebook run seed 0"

METRICS = {
    "acc": "acc",
    "test_cross_entropy": "cross_entropy",
    "weighted_f1_swapped_args": "weighted_f1_swapped",
    "weighted_f1_standard": "weighted_f1",
    "macro_f1_8_classes": "macro_f1",
    "acc2_nonneg": "acc2_nonneg",
    "mae": "mae",
    "weighted_f1_rounded_swapped_args": "f1_rounded_swapped",
}
_DROPOUT = re.compile(r"modality dropout ([0-9.]+) \(audio\+video\)")
_REPEAT = re.compile(r"test, repeat (\d+)")


def repeats(published: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """The five published repeats of "IEMOCAP 9-class" or "CMU-MOSI": 7 rates and the unimodal variant, per
    seed.
    """
    rows = select(published, topic="colearning", paper=PAPER, dataset=dataset)
    return _runs(rows[rows["split_or_class"].str.fullmatch(_REPEAT.pattern)])


def stored_run(published: pd.DataFrame) -> pd.DataFrame:
    """The IEMOCAP run whose outputs and confusion matrices are stored: GPU, seed 0, none of the five repeats
    (quirk 17)."""
    return _runs(select(published, topic="colearning", paper=PAPER, split_or_class=STORED))


def stored_recalls(published: pd.DataFrame) -> pd.DataFrame:
    """Recall per class (rows, in the order of the published matrices, with `support`) and variant of the
    stored run.

    This is all that is published here of its confusion matrices: the diagonal, row-normalised. "dis" has no
    test utterance and no row.
    """
    rows = select(published, topic="colearning", paper=PAPER)
    recall = rows[rows["metric"] == "recall"]
    recall = recall.assign(
        emotion=recall["split_or_class"].str.removeprefix(f"{STORED}, class "),
        name=[variant_name(text)[0] for text in recall["variant"]],
    )
    table = recall.set_index(["emotion", "name"])["value"].unstack()  # noqa: PD010 (nothing to average)
    support = rows[rows["metric"] == "support"]
    counts = dict(zip(support["split_or_class"].str.removeprefix("test, class "), support["value"], strict=True))
    classes = [name for name in CLASSES if name in counts]
    table = table.loc[classes, list(recall["name"].unique())]
    table.insert(0, "support", [int(counts[name]) for name in classes])
    return table.rename_axis(index="class", columns=None)


def variant_name(text: str) -> tuple[str, float]:
    """Our name and the rate (NaN for the unimodal variant) of a published variant. Raises InputError."""
    if found := _DROPOUT.fullmatch(text):
        return f"rate {float(found[1]):g}", float(found[1])
    if text == "unimodal (text-only training)":
        return UNIMODAL, float("nan")
    raise InputError(f"unknown variant {text!r}", where="published, colearning")


def _runs(rows: pd.DataFrame) -> pd.DataFrame:
    """Published rows as a run table; metrics that we do not compute are left out."""
    rows = rows[rows["metric"].isin(METRICS)]
    runs = []
    for (text, split), group in rows.groupby(["variant", "split_or_class"], sort=False):
        variant, rate = variant_name(text)
        repeat = _REPEAT.fullmatch(split)
        scores = {METRICS[name]: value for name, value in zip(group["metric"], group["value"], strict=True)}
        runs.append(
            {
                "variant": variant,
                "rate": rate,
                "seed": int(repeat[1]) if repeat else 0,
                "metrics": {"test": scores},
                "selected_on": "valid",
                "status": "published",
                "published_in": re.sub(r"/[^/]*\.csv$", "", group["source"].iloc[0]),
            }
        )
    return run_table(runs)
