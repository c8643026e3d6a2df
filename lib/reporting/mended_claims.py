"""What the mend of a reference's quirk does to a paper's claim.

A claim is about a difference between two sides. The effect of a mend on it is that difference under the mend, less that
as published, paired over seeds and test units. Where a quirk concerns one side alone, the other is the same networks in
both and falls out: the effect is then that on the score of the one side, turned over where this is the baseline.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.reporting import gains
from lib.reporting.claims import Claim
from lib.reporting.gains import Side
from lib.reporting.verdicts import SOURCES, deciding_spread, judged, verdict
from lib.reporting.words import deciding, decision

STEM = "mended_claims"
"""Of the tables in a result folder."""
BOTH, VARIANT, BASELINE = "both", "variant", "baseline"
"""Which sides of a difference a mend concerns."""
SHOWN = (
    "mend",
    "comparison",
    "sides",
    "n",
    "units",
    "published",
    "published_interval",
    "published_verdict",
    "mended",
    "mended_interval",
    "mended_verdict",
    "gain",
    "t_interval",
    "combined",
    "holm_p",
    "answer",
)
RULE = (
    "Effect of a mend on a claim (gain): the claim's difference with the mend, less that as published, paired over "
    "seeds and test units; positive where the mend moves the difference up. Sides: which of the two the mend concerns. "
    "One that it does not concern is the same networks in both and falls out, so that the effect is that on the score "
    "of the other side, with the opposite sign where this is the baseline. Verdicts are those of the claim."
)
_EFFECT = ("n", "gain", "gain_std", "t_interval_low", "t_interval_high", *(s for s in SOURCES if s != "holm_p"))


@dataclass(frozen=True)
class Comparison:
    """A difference that a claim is about, its variant and its baseline as published and with the mend of a quirk.

    `quirk` is called as in the paper's `quirks.csv`, `what` says in words what is compared; `margin` is the claim's, in
    units of the scores. `note` says what of it is not as in the claim.
    """

    quirk: str
    mend: str
    claim: Claim
    margin: float
    what: str
    published: tuple[Side, Side]
    mended: tuple[Side, Side]
    note: str = ""

    @property
    def sides(self) -> str:
        """`BOTH`, `VARIANT` or `BASELINE`. Raises ValueError for a mend that concerns neither."""
        changed = [new.name != old.name for new, old in zip(self.mended, self.published, strict=True)]
        if not any(changed):
            raise ValueError(f"the mend {self.mend} concerns neither side of {self.what}")
        return BOTH if all(changed) else VARIANT if changed[0] else BASELINE


def table(comparisons: Iterable[Comparison], metric: str) -> pd.DataFrame:
    """A row of each comparison: `published` and `mended`, the claim's difference, each with the interval that decides
    and the claim's verdict; the effect, as the columns of a gain table; whether the mend `changes` the verdict.

    Several comparisons of one claim under one mend are followed by their mean, of which `holm_p` says nothing. Empty
    for no comparison.
    """
    listed = list(comparisons)
    if not listed:
        return pd.DataFrame()
    rows = gains.adjusted(pd.DataFrame(_row(each, metric) for each in listed))
    groups: dict[tuple[str, str, str], list[Comparison]] = {}
    for each in listed:
        groups.setdefault((each.quirk, each.mend, each.claim.id), []).append(each)
    parts = []
    for (quirk, mend, claim), those in groups.items():
        own = rows[(rows["quirk"] == quirk) & (rows["mend"] == mend) & (rows["claim"] == claim)]
        mean = [pd.DataFrame([_row(_mean(those), metric) | {"holm_p": np.nan, "of": len(those)}])]
        parts += [own.assign(of=1), *(mean if len(those) > 1 else [])]
    return pd.concat(parts, ignore_index=True)


def _mean(those: Sequence[Comparison]) -> Comparison:
    """Their mean, sides and differences alike."""

    def over(pairs: Sequence[tuple[Side, Side]]) -> tuple[Side, Side]:
        variants, baselines = zip(*pairs, strict=True)
        return gains.average(variants), gains.average(baselines)

    first = those[0]
    pairs = over([each.published for each in those]), over([each.mended for each in those])
    what, note = f"mean of {len(those)}", "; ".join(dict.fromkeys(each.note for each in those if each.note))
    return Comparison(first.quirk, first.mend, first.claim, first.margin, what, *pairs, note)


def _row(each: Comparison, metric: str) -> dict[str, object]:
    row = {"quirk": each.quirk, "mend": each.mend, "claim": each.claim.id, "comparison": each.what}
    row |= {"sides": each.sides, "note": each.note, "metric": metric}
    for name, pair in (("published", each.published), ("mended", each.mended)):
        gain = gains.between(*pair, metric)
        low, high = deciding(gain)
        row |= {name: gain["gain"], f"{name}_interval_low": low, f"{name}_interval_high": high}
        decides = deciding_spread(gain, gain["gain"], gain["gain_std"], gain["n"])
        row[f"{name}_verdict"] = verdict(each.claim.kind, gain["gain"], decides.combined, each.margin)
    row["changes"] = "no" if row["published_verdict"] == row["mended_verdict"] else "yes"
    found = gains.between(*_effect(each), metric)
    return row | {name: found[name] for name in _EFFECT} | judged(found, each.margin)


def _effect(each: Comparison) -> tuple[Side, Side]:
    """Two sides whose gain is the effect: what the mend concerns alone, where it concerns one side."""
    (new_variant, new_baseline), (old_variant, old_baseline) = each.mended, each.published
    if each.sides == VARIANT:
        return new_variant, old_variant
    if each.sides == BASELINE:
        return old_baseline, new_baseline
    return gains.difference(new_variant, new_baseline), gains.difference(old_variant, old_baseline)


def sentences(found: pd.DataFrame) -> list[str]:
    """A sentence on each mend and claim; from `table`."""
    said = []
    for (mend, _), rows in found.groupby(["mend", "claim"], sort=False) if len(found) else ():
        each, whole = rows[rows["of"] == 1], rows.iloc[-1].to_dict()
        changed = "; ".join(
            f"{row['comparison']} from {row['published_verdict']} to {row['mended_verdict']}"
            for row in each[each["changes"] == "yes"].to_dict("records")
        )
        many = f"{int((each['changes'] == 'yes').sum())} of {len(each)} verdicts on the claim"
        said.append(
            f"Mend `{mend}`, {whole['comparison']}{_noted(whole)}: effect on the claim's difference, "
            f"{decision(whole)}; {many} change{': ' + changed if changed else ''}."
        )
    return said


def _noted(row: Mapping[str, object]) -> str:
    return f" ({row['note']})" if row["note"] else ""
