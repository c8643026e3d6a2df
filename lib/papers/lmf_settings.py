"""The settings that the authors of LMF say reproduce the paper (their hyperparams.txt; spec lmf, section 10).

There is none for MOSI: the authors wrote that its record was lost. Row `Sentiment` of POM is that corpus' 17th label.
"""

import csv
from pathlib import Path

from lib.errors import InputError
from lib.params.low_rank_fusion import Setting

TABLE = Path(__file__).with_suffix(".csv")


def chosen(dataset: str, target: str) -> Setting:
    """The setting for a trait of `pom` or an emotion of `iemocap`. Raises InputError where none is published."""
    with TABLE.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            if (row.pop("dataset"), row.pop("target")) == (dataset, target):
                return Setting.model_validate(row)
    raise InputError(f"no published setting for {dataset} {target}", where=TABLE.name)
