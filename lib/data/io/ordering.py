"""The order of what a foreign file keeps without one: sets, and dictionaries whose writer's process decided it."""

import re
from collections.abc import Iterable

RULE = "sorted by id: numbers by value, then names, runs of digits in them by value"


def natural_order(ids: Iterable[int | str]) -> list[int | str]:
    """Ids in the order that `RULE` describes, the same in every process; names of digits alone are names."""
    return sorted(ids, key=_key)


def _key(item: int | str) -> tuple:
    if not isinstance(item, str):
        return (0, item)
    parts = re.split(r"([0-9]+)", item)  # text at even places, digits at odd ones
    digits = [(len(number.lstrip("0")), number.lstrip("0")) for number in parts[1::2]]
    return (1, *(part for pair in zip(parts[::2], [*digits, (-1, "")], strict=True) for part in pair), item)
