"""The section that every notebook can have: what each modality brings, and what noise or its loss costs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from lib.reporting import drawing, modality_figures, tables
from lib.reporting.disturbed import (
    MISSING,
    MISSING_RATES,
    NOISE,
    NOISE_LEVELS,
    Disturbed,
    Subset,
    disturbed_scores,
    subset_scores,
)
from lib.reporting.drawing import Meanwhile, Picture
from lib.reporting.modality_share import share_table
from lib.reporting.robustness import robustness_table
from lib.training.trained import Trained
from lib.training.workers import spread

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
    workers: int = 1,
    meanwhile: Meanwhile | None = None,
) -> list[str | Picture]:
    """Write the tables `modality_share` and `robustness` and their figures; returns what is to be shown, in order.

    Texts are Markdown. `suffix` stands behind every file name. `retrained` are further rows of shares, from models
    trained on each subset. Empty, and nothing is written, where no run has finished. The runs are asked
    by `workers` processes side by side; `meanwhile` is that of `drawing.save`.
    """
    if not runs:
        return []
    by_subset, disturbed = zip(*_asked(runs, noise, missing, workers), strict=True)
    shares = pd.concat([share_table(runs, metric, scores=by_subset), retrained], ignore_index=True)
    curves = robustness_table(runs, metric, scores=disturbed)
    caption = f"Exact Shapley value of each modality in test {metric}, mean and 95 % t-interval over the seeds"
    shown = ["model", "modality", "seeds", "share_mean", "share", "score_all", "score_none"]
    tables.save(shares, folder / "tables" / f"{SHARES}{suffix}", caption=caption, label=label, shown=shown)
    under = f"Test {metric} under noise on one modality, and with it missing from some utterances"
    tables.save(curves, folder / "tables" / f"{ROBUSTNESS}{suffix}", caption=under, label=label)
    drawn = {SHARES: modality_figures.shares(shares, label=label)}
    kinds = [kind for kind in (NOISE, MISSING) if (curves["kind"] == kind).any()]
    drawn |= {f"{ROBUSTNESS}_{kind}": modality_figures.robustness(curves, kind, label=label) for kind in kinds}
    pictures = [drawing.save(made, folder / "figures" / f"{name}{suffix}", meanwhile) for name, made in drawn.items()]
    ways = shares.groupby("absent", sort=False)["model"].unique()
    absent = " ".join(f"Absent from {', '.join(models)}: {way}." for way, models in ways.items())
    table = tables.markdown(shares, caption=caption, label=label, shown=shown)
    return [table, absent, *pictures, *(f"- {sentence}" for sentence in sentences(shares))]


def _asked(
    runs: Sequence[Trained], noise: Sequence[float], missing: Sequence[float], workers: int
) -> list[tuple[dict[Subset, float], list[Disturbed]]]:
    """`subset_scores` and `disturbed_scores` of each run, of which those on a CPU answer in `workers` processes.

    Scored is here: a worker would load the libraries of every metric first.
    """
    unscored = [replace(run, score=lambda outputs: outputs) for run in runs]

    def ask(place: int) -> tuple[int, dict, list]:
        by_subset = subset_scores(unscored[place])
        return place, by_subset, list(disturbed_scores(unscored[place], noise, missing, by_subset))

    on_cpu = all(run.split.targets.device.type == "cpu" for run in runs)
    found: dict[int, tuple[dict[Subset, float], list[Disturbed]]] = {}
    for place, by_subset, disturbed in spread(ask, range(len(runs)), workers if on_cpu else 1):
        score = runs[place].score
        found[place] = (
            {subset: score(outputs) for subset, outputs in by_subset.items()},
            [(*about, score(outputs)) for *about, outputs in disturbed],
        )
    return [found[place] for place in range(len(runs))]


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
