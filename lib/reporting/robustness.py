"""How a score falls when one modality gets noisy, or is missing from some utterances, the others staying whole.

`lib.reporting.disturbed` says what noise and missing are.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from lib.reporting.disturbed import MISSING_RATES, NOISE_LEVELS, Disturbed, disturbed_scores
from lib.reporting.statistics import t_interval
from lib.training.trained import Trained

COLUMNS = ("model", "modality", "kind", "level", "metric", "mean", "low", "high", "seeds")


def robustness_table(
    runs: Sequence[Trained],
    metric: str,
    *,
    noise: Sequence[float] = NOISE_LEVELS,
    missing: Sequence[float] = MISSING_RATES,
    scores: Iterable[Iterable[Disturbed]] | None = None,
) -> pd.DataFrame:
    """The table `robustness`: one row per model, modality, kind and level, with the 95 % t-interval over the seeds.

    Modalities whose spread a run does not know get no noise. Seeds whose score is undefined do not count; `seeds` says
    how many did. `scores` are the `disturbed_scores` of each run, for who has them.
    """
    if scores is None:
        scores = (disturbed_scores(run, noise, missing) for run in runs)
    found_by: dict[tuple[str, str, str, float], list[float]] = {}
    for run, of_run in zip(runs, scores, strict=True):
        for *place, score in of_run:
            found_by.setdefault((run.name, *place), []).append(score)
    rows = []
    for (model, modality, kind, level), found in found_by.items():
        values = np.array(found)
        values = values[np.isfinite(values)]
        low, high = t_interval(values)
        mean = float(values.mean()) if len(values) else np.nan
        rows.append((model, modality, kind, level, metric, mean, low, high, len(values)))
    return pd.DataFrame(rows, columns=COLUMNS)
