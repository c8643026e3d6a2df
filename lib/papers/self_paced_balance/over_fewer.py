"""All modalities against fewer: without SPCL, with it, and what SPCL changes.

Gain(%) of three modalities over two, which the paper shows without a formula, is computed in both ways, per seed and
then averaged: `gain_points` = 100 (tri - bi), `gain_relative` = 100 (tri - bi) / bi, both positive where three
modalities are better. `tri` and `bi` have the same backbone, seed, corpus, split and training. So are two modalities
compared with one, which is always trained without SPCL.
"""

from collections.abc import Iterator, Mapping

import pandas as pd

from lib.papers.self_paced_balance import SelfPacedBalance
from lib.papers.self_paced_balance.variants import TITLES, pair, subsets
from lib.reporting import gains
from lib.reporting.gains import Side
from lib.reporting.statistics import mean, std, t_interval, t_test
from lib.reporting.verdicts import SOURCES
from lib.run_table import by_seed
from lib.study import Runs

SHOWN = (
    "backbone",
    "modalities",
    "over",
    "spcl",
    "n",
    "units",
    "gain_points",
    "points",
    "new_units",
    "combined",
    "holm_p",
    "answer",
    "smallest_seen",
    "gain_relative",
    "relative",
)
"""Of the table in points."""
BETTER = "better of"
CHANGE = "with - without"
CHOSEN_BY = "weighted_f1"
"""On the development set."""
_POINTS = {
    "gain": "gain_points",
    "gain_std": "gain_points_std",
    "t_interval_low": "points_low",
    "t_interval_high": "points_high",
}
_SCALED = (
    "new_units_low",
    "new_units_high",
    "combined_low",
    "combined_high",
    "combined_error",
    "margin",
    "smallest_seen",
)
_SQUARED = ("seed_variance", "unit_variance", "rest_variance")


def name(p: SelfPacedBalance) -> str:
    """Of the tables and the figure."""
    return "trimodal" if len(p.whole) == 3 else "bimodal"


def over_fewer(runs: Runs, metric: str, mend: str = "") -> pd.DataFrame:
    """Gains of all modalities over all but one, without SPCL, with it, and what SPCL changes (`with - without`).

    Over one modality what SPCL changes is its effect on two, and has no row here; instead there is the gain over the
    better of both. Rows of gain tables (`gains.between`), with the relative gain beside, in per cent.
    """
    p, each = runs.study.p, gains.sides(runs.table, metric, runs=runs)
    found = []
    for backbone in p.backbones.chosen():
        for over in fewer(p, backbone, mend):
            both = {
                spcl: compared(runs, each, backbone, over, spcl=spcl == "with", mend=mend)
                for spcl in ("without", "with")
            }
            relative = {spcl: values(*pair_of)["gain_relative"] for spcl, pair_of in both.items()}
            if len(p.whole) > 2:
                both[CHANGE] = _change(both, f"{TITLES[backbone]} {p.whole} - {over}{f', {mend}' if mend else ''}")
                relative[CHANGE] = relative["with"] - relative["without"]
            about = {"backbone": TITLES[backbone], "modalities": p.whole, "over": over}
            found += [
                about | {"spcl": spcl} | gains.between(*pair_of, metric) | _relative(relative[spcl])
                for spcl, pair_of in both.items()
            ]
    return gains.adjusted(pd.DataFrame(found))


def fewer(p: SelfPacedBalance, backbone: str, mend: str = "") -> Iterator[str]:
    """What all modalities of a backbone are set against: the subsets of all but one, and of single ones the better."""
    trained = subsets(p, backbone, mend)
    found = [subset for subset in trained if subset != p.whole and p.whole in trained]
    alone = [subset for subset in found if len(subset) == 1]
    yield from found
    if len(alone) > 1:
        yield f"{BETTER} {', '.join(alone)}"


def compared(
    runs: Runs, each: Mapping[str, Side], backbone: str, over: str, *, spcl: bool, mend: str = ""
) -> tuple[Side, Side]:
    """All modalities, and the subset `over`, or `BETTER` several: that which each seed's development set names."""
    p = runs.study.p
    parts = [each[pair(backbone, part, mend)[spcl]] for part in _parts(over)]
    if len(parts) > 1:
        development = by_seed(runs.table, CHOSEN_BY, "valid")[[part.name for part in parts]]
        chosen = development.rank(axis=1, ascending=False, method="first") == 1
        scores = pd.DataFrame({part.name: part.scores for part in parts}).where(chosen).sum(axis=1, min_count=1)
        left = {
            seed: part.left[seed] for part in parts for seed in chosen.index[chosen[part.name]] if seed in part.left
        }
        parts = [Side(f"{TITLES[backbone]} {over}", scores, left)]
    return each[pair(backbone, p.whole, mend)[spcl]], parts[0]


def values(more: Side, less: Side) -> pd.DataFrame:
    """By seed that has both: `gain_points` and `gain_relative`."""
    gain = more.scores - less.scores
    return pd.DataFrame({"gain_points": 100 * gain, "gain_relative": 100 * gain / less.scores}).dropna()


def in_points(found: pd.DataFrame) -> pd.DataFrame:
    """The table as it is kept, in the paper's unit: a point is a hundredth of weighted F1 or accuracy."""
    rows = found.copy()
    rows[[*_POINTS, *_SCALED]] *= 100
    rows[[*_SQUARED]] *= 100**2
    rows = rows.rename(columns=_POINTS | {"t_test_p": "points_p"})
    relative = [column for column in rows if "relative" in column]
    first = ["backbone", "modalities", "over", "spcl", "metric", "n", *_POINTS.values(), "points_p"]
    return rows[[*first, *relative, "verdict", *SOURCES]]


def answering(found: pd.DataFrame) -> pd.DataFrame:
    """The rows that say whether SPCL gives a further modality its worth back; over one modality, the better one."""
    return found[(found["spcl"] == CHANGE) | ((found["spcl"] == "with") & found["over"].str.startswith(BETTER))]


def claimed(runs: Runs) -> pd.DataFrame:
    """What the paper claims of these gains, by the first metric; for `Study.composed`."""
    return answering(over_fewer(runs, runs.study.tasks[0].metrics[0]))


def claimed_of(p: SelfPacedBalance, backbone: str, mend: str) -> list[str]:
    """What the paper's claim sets all modalities of a backbone against, of which a run has all networks of a mend.

    One modality alone is plain training, which the mend `selected` does not touch.
    """
    there = {*subsets(p, backbone, mend), *(s for s in p.subsets if len(s) == 1 and mend == "selected")}
    asked = (over for over in fewer(p, backbone) if len(p.whole) > 2 or over.startswith(BETTER))
    return [over for over in asked if {p.whole, *_parts(over)} <= there]


def claim(runs: Runs, each: Mapping[str, Side], backbone: str, over: str, mend: str = "") -> tuple[Side, Side]:
    """The sides of the paper's claim: what SPCL changes in a gain, or the gain with SPCL over the better modality."""
    both = {spcl: compared(runs, each, backbone, over, spcl=spcl == "with", mend=mend) for spcl in ("with", "without")}
    return both["with"] if over.startswith(BETTER) else _change(both)


def _change(both: Mapping[str, tuple[Side, Side]], stem: str = "") -> tuple[Side, Side]:
    """The gains with SPCL and without, as sides; called after what is subtracted, or `stem`."""
    with_spcl, without = (gains.difference(*both[how], stem and f"{stem}, {how} SPCL") for how in ("with", "without"))
    return with_spcl, without


def _parts(over: str) -> list[str]:
    """The subsets that are named in what all modalities are set against."""
    return over.removeprefix(f"{BETTER} ").split(", ")


def _relative(gains_by_seed: pd.Series) -> dict[str, float]:
    x = gains_by_seed.dropna().to_numpy()
    low, high = t_interval(x)
    about = {"gain_relative": mean(x), "gain_relative_std": std(x), "relative_low": low, "relative_high": high}
    return about | {"relative_p": t_test(x)}
