"""How much of a score each modality brings: its exact Shapley value over all subsets of the modalities.

The value of a subset is the score with just these modalities, and the shares add up to the score with all of them
minus that with none. Scores of which lower is better are counted as reductions, so that positive means: it helps.
The score of the empty set is that of the same model with every modality absent (`subset_scores`), or, for subsets
trained separately, of a constant answer (`retrained_scores`): there is no training without a modality.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from lib.errors import InputError
from lib.metrics.scores import Direction, direction
from lib.reporting.disturbed import Subset, subset_scores, subsets
from lib.reporting.statistics import t_interval
from lib.run_table import by_seed
from lib.training.trained import Trained

ORDER = ("text", "audio", "video")
COLUMNS = ("model", "modality", "share_mean", "share_low", "share_high", "seeds", "metric")
RETRAINED = "not in training either; with none: a constant answer"
SHARE_RULE = (
    "The share of a modality is its exact Shapley value: what it adds to the score, averaged over all orders in which "
    "the modalities can arrive. The shares add up to the score with all modalities minus the score with none; positive "
    "means that the modality helps, also for an error. Intervals: 95 % t-interval over the seeds."
)


def shapley(value: Callable[[Subset], float], modalities: Sequence[str]) -> dict[str, float]:
    """The exact Shapley value of each modality in the game `value`, which is asked once per subset.

    Raises ValueError for a modality given twice.
    """
    if len(set(modalities)) != len(modalities):
        raise ValueError(f"a modality is given twice: {', '.join(modalities)}")
    values, n = {subset: value(subset) for subset in subsets(modalities)}, len(modalities)

    def added(modality: str, subset: Subset) -> float:
        weight = 1 / (n * math.comb(n - 1, len(subset)))
        return weight * (values[subset | {modality}] - values[subset])

    return {m: math.fsum(added(m, subset) for subset in values if m not in subset) for m in modalities}


def in_order(modalities: Iterable[str]) -> list[str]:
    """Each once: text, audio, video, then others by name."""
    return sorted(set(modalities), key=lambda m: (ORDER.index(m) if m in ORDER else len(ORDER), m))


def retrained_scores(
    table: pd.DataFrame, variants: Mapping[Subset, str], metric: str, empty: float, *, split: str = "test"
) -> dict[int, dict[Subset, float]]:
    """By seed the scores of models that were trained on each subset alone, from a run table.

    `variants` names the variant of every subset but the empty one, whose score is `empty`. Seeds that miss a score are
    left out. Raises InputError for a subset without a variant.
    """
    everything = sorted(frozenset().union(*variants))
    if lacking := [subset for subset in subsets(everything)[1:] if subset not in variants]:
        raise InputError(f"no variant was trained on {'+'.join(sorted(lacking[0]))} alone", where="modality share")
    scores = by_seed(table, metric, split)[list(variants.values())].dropna()
    return {
        int(seed): {frozenset(): empty, **{subset: float(row[name]) for subset, name in variants.items()}}
        for seed, row in scores.iterrows()
    }


def share_table(
    runs: Sequence[Trained],
    metric: str,
    *,
    better: Direction | None = None,
    scores: Iterable[Mapping[Subset, float]] | None = None,
) -> pd.DataFrame:
    """The table `modality_share`: one row per model and modality over the seeds of its runs.

    `scores` are the `subset_scores` of each run, for who has them.
    """
    games: dict[tuple[str, str], list[Mapping[Subset, float]]] = {}
    for run, found in zip(runs, map(subset_scores, runs) if scores is None else scores, strict=True):
        games.setdefault((run.name, f"{run.absence}; with none: the same"), []).append(found)
    tables = [share_rows(model, found, metric, how, better=better) for (model, how), found in games.items()]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def share_rows(
    model: str,
    games: Iterable[Mapping[Subset, float]],
    metric: str,
    absent: str,
    *,
    better: Direction | None = None,
) -> pd.DataFrame:
    """The rows of one model from the scores by subset of each of its seeds.

    Beside `COLUMNS`: `score_all` and `score_none`, means of the scores with every modality and with none, and
    `absent`, how a modality was made absent. Seeds with an undefined score do not count; if none is left, the numbers
    are NaN.
    """
    games = list(games)
    modalities = max(games[0], key=len) if games else ()
    games = [game for game in games if np.isfinite(list(game.values())).all()]
    sign = {"higher": 1.0, "lower": -1.0}[better or direction(metric)]
    ordered = in_order(modalities)
    shares = [shapley(lambda subset, game=game: sign * game[subset], ordered) for game in games]
    rows = []
    for modality in ordered:
        values = np.array([share[modality] for share in shares])
        low, high = t_interval(values)
        found = (model, modality, _mean(values), low, high, len(values), metric)
        rows.append(
            dict(zip(COLUMNS, found, strict=True))
            | {
                "score_all": _mean([game[frozenset(ordered)] for game in games]),
                "score_none": _mean([game[frozenset()] for game in games]),
                "absent": absent,
            }
        )
    return pd.DataFrame(rows, columns=[*COLUMNS, "score_all", "score_none", "absent"])


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else np.nan
