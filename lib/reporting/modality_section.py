"""The section that every notebook can have: what each modality brings, and what noise or its loss costs."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from lib.reporting import figures, modality_figures, tables
from lib.reporting.modality_share import share_table
from lib.reporting.robustness import MISSING, MISSING_RATES, NOISE, NOISE_LEVELS, robustness_table
from lib.training.trained import Trained

SHARES, ROBUSTNESS = "modality_share", "robustness"


def write(
    runs: Sequence[Trained],
    metric: str,
    folder: Path,
    *,
    label: str,
    noise: Sequence[float] = NOISE_LEVELS,
    missing: Sequence[float] = MISSING_RATES,
    suffix: str = "",
    retrained: pd.DataFrame | None = None,
) -> list[str | Figure]:
    """Write the tables `modality_share` and `robustness` and their figures; returns what is to be shown, in order.

    Texts are Markdown. `suffix` stands behind every file name. `retrained` are further rows of shares, from models
    trained on each subset. Empty, and nothing is written, where no run has finished.
    """
    if not runs:
        return []
    shares = pd.concat([share_table(runs, metric), retrained], ignore_index=True)
    curves = robustness_table(runs, metric, noise=noise, missing=missing)
    caption = f"Exact Shapley value of each modality in test {metric}, mean and 95 % t-interval over the seeds"
    shown = ["model", "modality", "seeds", "share_mean", "share", "score_all", "score_none"]
    tables.save(shares, folder / "tables" / f"{SHARES}{suffix}", caption=caption, label=label, shown=shown)
    disturbed = f"Test {metric} under noise on one modality, and with it missing from some utterances"
    tables.save(curves, folder / "tables" / f"{ROBUSTNESS}{suffix}", caption=disturbed, label=label)
    drawn = {SHARES: modality_figures.shares(shares, label=label)}
    kinds = [kind for kind in (NOISE, MISSING) if (curves["kind"] == kind).any()]
    drawn |= {f"{ROBUSTNESS}_{kind}": modality_figures.robustness(curves, kind, label=label) for kind in kinds}
    for name, figure in drawn.items():
        figures.save(figure, folder / "figures" / f"{name}{suffix}")
    ways = shares.groupby("absent", sort=False)["model"].unique()
    absent = " ".join(f"Absent from {', '.join(models)}: {way}." for way, models in ways.items())
    table = tables.markdown(shares, caption=caption, label=label, shown=shown)
    return [table, absent, *drawn.values(), *(f"- {sentence}" for sentence in sentences(shares))]


def sentences(shares: pd.DataFrame) -> list[str]:
    """Per model, for which modalities the interval of the share leaves out 0."""
    found = []
    for model, rows in shares.groupby("model", sort=False):
        if rows["share_mean"].isna().all():
            metric = rows["metric"].iloc[0]
            found.append(
                f"{model}: shares undefined, because no seed has a test {metric} with every set of modalities."
            )
            continue
        most = rows.loc[rows["share_mean"].idxmax()]
        told = f"{model}: {most['modality']} brings most ({most['share_mean']:+.4f})"
        if rows["seeds"].min() < 2:
            found.append(f"{told}; one seed, so no interval.")
            continue
        above = ", ".join(rows.loc[rows["share_low"] > 0, "modality"]) or "none"
        below = ", ".join(rows.loc[rows["share_high"] < 0, "modality"])
        found.append(f"{told}; the interval lies above 0 for {above}{f', below 0 for {below}' if below else ''}.")
    return found
