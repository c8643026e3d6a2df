"""Small run tables for the reporting tests."""

from collections.abc import Mapping, Sequence

import pandas as pd

from lib.run_table import run_table

REAL = "corpus_a, real data"
STAND_IN = "corpus_b, SYNTHETIC stand-in"


def runs_of(scores: Mapping[str, Sequence[float]], metric: str = "acc") -> pd.DataFrame:
    """A run table with one test score per variant and seed 0, 1, ...; None is a run that failed.

    A variant named "rate <x>" has that rate.
    """
    return run_table(
        {
            "variant": variant,
            "rate": float(variant.split()[1]) if variant.startswith("rate") else float("nan"),
            "seed": seed,
            "metrics": {} if value is None else {"test": {metric: value}},
            "selected_on": "valid",
            "status": "failed" if value is None else "finished",
            "reason": "no finite validation loss" if value is None else "",
        }
        for variant, values in scores.items()
        for seed, value in enumerate(values)
    )
