"""The published numbers of LMF and TFN as run tables (spec lmf, section 13)."""

from collections.abc import Callable
from typing import Literal

import pandas as pd

from lib.reporting.published import select
from lib.run_table import run_table

PAPER = "Liu et al. 2018 (LMF, ACL 2018)"
RERUN = "third-party reproduction of LMF"
RERUN_SYSTEM = "LMF PyTorch rerun by third party"
DATASETS = {"mosi": "CMU-MOSI", "pom": "POM", "iemocap": "IEMOCAP"}
_SCALES = {
    "MAE": ("mae", 1.0),
    "Corr": ("corr", 1.0),
    "Acc-2": ("acc2_nonneg", 0.01),
    "F1": ("f1_binary_weighted", 0.01),
    "Acc-7": ("acc7_rounded", 0.01),
    "Acc (rounded)": ("acc7_rounded", 0.01),
}


def runs(
    published: pd.DataFrame, family: Literal["mosi", "pom", "iemocap"], variant: Callable[[str, str], str]
) -> pd.DataFrame:
    """Table 2 of the paper for one corpus, and the rerun by a third party (`LMF, third party`); accuracies from 0 to 1.

    `variant(task, kind)` names a variant of our run table; `task` is an emotion, or empty. Neither source says how
    often a network was trained, so every number is one run.
    """
    found = []
    for paper, system, kind in (
        (PAPER, "LMF", "LMF"),
        (PAPER, "TFN", "TFN"),
        (RERUN, RERUN_SYSTEM, "LMF, third party"),
    ):
        rows = select(published, topic="lmf", paper=paper, system=system, dataset=DATASETS[family])
        rows = rows[rows["metric"].isin(_SCALES) & rows["split_or_class"].str.startswith("test")]
        for place, group in rows.groupby("split_or_class", sort=False):
            task = place.partition("/")[2]
            found.append(
                {
                    "variant": variant(task, kind),
                    "seed": 0,
                    "metrics": {
                        "test": dict(_score(*row, family) for row in zip(group["metric"], group["value"], strict=True))
                    },
                    "selected_on": "not stated",
                    "status": "published",
                    "published_in": group["source"].iloc[0].split(",")[0],
                }
            )
    return run_table(found)


def _score(metric: str, value: float, family: str) -> tuple[str, float]:
    name, scale = _SCALES[metric]
    return ("weighted_f1" if family == "iemocap" else name), value * scale
