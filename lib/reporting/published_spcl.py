"""The published numbers of SPCL (spec spcl, section 5): gains of three modalities over two, and two claims."""

import pandas as pd

from lib.reporting.published import select
from lib.run_table import run_table

PAPER = "SPCL (arXiv:2605.21565)"
_OVER = {"atv vs T+A": "at", "atv vs A+V": "av"}
_METRICS = {"Gain(%) of w-F1": "weighted_f1", "Gain(%) of accuracy": "acc"}


def gains(published: pd.DataFrame) -> pd.DataFrame:
    """Gain(%) without SPCL on IEMOCAP by backbone, a run table of per cent; every number is one run.

    It is the label of a bar. The legend calls the second pair A+V, the caption in the same image TV; the legend is
    followed. "two modalities" is 0, what a gain is measured against.
    """
    rows = select(published, topic="spcl", paper=PAPER, variant="baseline without SPCL")
    shared = {"seed": 0, "selected_on": "not stated", "status": "published", "published_in": ""}
    found = [{"variant": "two modalities", "metrics": {"test": dict.fromkeys(_METRICS.values(), 0.0)}, **shared}]
    for (system, pair), group in rows.groupby(["system", "modalities"], sort=False):
        over = _OVER[pair.split(" (")[0]]
        values = {_METRICS[row["metric"]]: row["value"] for row in group.to_dict("records")}
        source = group["source"].iloc[0]
        found.append(
            {"variant": f"{system}: atv over {over}", "metrics": {"test": values}, **shared, "published_in": source}
        )
    return run_table(found)


def claims(published: pd.DataFrame) -> pd.DataFrame:
    """The abstract's smallest and largest improvement of weighted F1, in per cent."""
    rows = select(published, topic="spcl", paper=PAPER, system="SPCL over its backbones")
    return pd.DataFrame(
        {
            "claim": [f"{row['dataset']}: {row['metric']}" for row in rows.to_dict("records")],
            "dataset": rows["dataset"].to_list(),
            "which": [metric.split()[0] for metric in rows["metric"]],
            "value": rows["value"].to_list(),
        }
    )
