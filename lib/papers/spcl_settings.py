"""Thresholds and growths that the authors of SPCL published (spec spcl, 4.2), and where they contradict each other."""

import csv
from dataclasses import dataclass
from pathlib import Path

from lib.errors import InputError
from lib.training.self_paced import CAP, next_threshold

TABLE = Path(__file__).with_suffix(".csv")
README = "README"
DEFAULTS = (0.4, 1.25)
"""Of the training script; LateFusion has no row of its own."""


@dataclass(frozen=True)
class Published:
    """One published pair."""

    dataset: str
    backbone: str
    modalities: str
    threshold: float
    growth: float
    given_in: str


def published() -> list[Published]:
    """All rows, the README's table before the example scripts."""
    with TABLE.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    return [Published(**row | {"threshold": float(row["threshold"]), "growth": float(row["growth"])}) for row in rows]


def pace(dataset: str, backbone: str, modalities: str) -> tuple[float, float]:
    """Threshold and growth of the README's table. Raises InputError for a combination that it does not have."""
    if backbone == "late_fusion":
        return DEFAULTS
    for row in published():
        if (row.dataset, row.backbone, row.modalities, row.given_in) == (dataset, backbone, modalities, README):
            return row.threshold, row.growth
    raise InputError(f"no published threshold for {backbone} {modalities} on {dataset}", where=TABLE.name)


def conflicts() -> list[str]:
    """Where an example script gives another pair than the README, in words."""
    rows, found = published(), []
    for row in rows:
        if row.given_in == README:
            continue
        threshold, growth = pace(row.dataset, row.backbone, row.modalities)
        if (row.threshold, row.growth) != (threshold, growth):
            found.append(
                f"{row.dataset} {row.backbone} {row.modalities}: {row.given_in} has threshold {row.threshold:g} and "
                f"growth {row.growth:g}, the README {threshold:g} and {growth:g}"
            )
    return found


def epochs_to_cap(threshold: float, growth: float, most: int = 1000) -> int | None:
    """After how many epochs every utterance is selected for certain; None if not within `most`."""
    for epoch in range(most):
        if threshold >= CAP:
            return epoch
        threshold = next_threshold(threshold, growth)
    return None
