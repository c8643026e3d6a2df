"""How often the intervals of `lib.reporting.two_sources` hold the truth, and verdicts are wrong, by simulation.

    python -m benchmarks.statistics_simulation [coverage|verdicts|planned] [--draws N]

Differences between two methods that are known in distribution are drawn again and again, once as normal values with
given spreads over seeds, units and the rest, once as class predictions of two classifiers on utterances in clusters of
unequal size, whose weighted F1 is compared. Without arguments it writes `statistics_coverage.csv`,
`statistics_verdicts.csv` and `statistics_planned.csv` into `benchmarks/results` (some minutes on one core).
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lib.files import write_text
from lib.metrics.left_out import weighted_f1
from lib.params import PILOT
from lib.reporting.seed_plan import CAP as CAPPED
from lib.reporting.seed_plan import ENOUGH, LIMIT, UNTOLD, Ask, ask
from lib.reporting.two_sources import Spread, pseudo_values, spread
from lib.reporting.verdicts import NO_DIFFERENCE, VERDICTS, verdict

RESULTS = Path(__file__).resolve().parent / "results"
SEEDS, UNITS = (5, 20, 40), (10, 31, 100)
CAP = 40
"""The most seeds that are run."""
BOOTSTRAPS = 500
Row = dict[str, object]


@dataclass(frozen=True)
class Mix:
    """Standard deviations of a difference, in points: between seeds, between units, of one network on one unit."""

    name: str
    seed: float
    unit: float
    rest: float

    def draw(self, rng: np.random.Generator, seeds: int, units: int, mean: float = 0.0) -> np.ndarray:
        """`(seeds, units)`."""
        between = self.seed * rng.standard_normal((seeds, 1)) + self.unit * rng.standard_normal((1, units))
        return mean + between + self.rest * rng.standard_normal((seeds, units))


MIXES = (
    Mix("mostly seeds", 1.0, 1.0, 3.0),
    Mix("both", 0.5, 2.0, 4.0),
    Mix("mostly units", 0.2, 4.0, 4.0),
    Mix("neither: rest alone", 0.0, 0.0, 4.0),
)


@dataclass(frozen=True)
class Classifiers:
    """Two classifiers that answer right more or less often, by seed, unit, both, and utterance; all effects are logits.

    The second has `gain` more. Utterances have a difficulty that all networks share, and units hold about 24 of them.
    """

    gain: float = 0.15
    seed: float = 0.1
    unit: float = 0.8
    own_unit: float = 0.3
    rest: float = 0.3
    utterance: float = 1.0
    classes: tuple[float, ...] = (0.45, 0.3, 0.15, 0.1)

    def counts(self, rng: np.random.Generator, seeds: int, units: int) -> np.ndarray:
        """Confusion counts `(method, seed, unit, class, class)`."""
        sizes = np.clip(np.round(rng.lognormal(3.0, 0.6, units)), 4, 120).astype(np.int64)
        of = np.repeat(np.arange(units), sizes)
        kinds, samples = len(self.classes), len(of)
        leaning = rng.dirichlet(20 * np.array(self.classes), units)  # a unit has classes of its own
        true = (rng.random((samples, 1)) > leaning.cumsum(axis=1)[of]).sum(axis=1).clip(max=kinds - 1)
        by_unit = self.unit * rng.standard_normal(units) + self.own_unit * rng.standard_normal((2, 1, units))
        by_unit = by_unit + self.rest * rng.standard_normal((2, seeds, units))
        by_seed = self.seed * rng.standard_normal((2, seeds, 1)) + np.array([0.0, self.gain])[:, None, None]
        hard = self.utterance * rng.standard_normal(samples) + np.array([0.8, 0.4, -0.2, -0.5])[true]
        right = rng.logistic(size=(2, seeds, samples)).astype(np.float32) < (by_unit[:, :, of] + by_seed + hard)
        guess = rng.choice(kinds, size=right.shape, p=self.classes)
        wrong = np.where(guess == true, (guess + 1) % kinds, guess)
        predicted = np.where(right, true, wrong)
        cells = np.arange(2 * seeds).reshape(2, seeds, 1) * units + of
        cells = (cells * kinds + true) * kinds + predicted
        found = np.bincount(cells.ravel(), minlength=2 * seeds * units * kinds * kinds)
        return found.reshape(2, seeds, units, kinds, kinds)

    def truth(self, rng: np.random.Generator) -> float:
        """The difference over infinitely many seeds and units, in points, to about 0.02."""
        return float(np.mean([np.diff(f1_of(self.counts(rng, 10, 2000)).mean(axis=1))[0] for _ in range(12)]))


def f1_of(counts: np.ndarray) -> np.ndarray:
    """Weighted F1 in points `(method, seed)` of counts by method, seed and unit."""
    return 100 * weighted_f1(counts.sum(axis=2))


def f1_values(counts: np.ndarray) -> np.ndarray:
    """Pseudo-values `(seed, unit)` of the difference in weighted F1, in points."""
    total = counts.sum(axis=2)
    left = 100 * weighted_f1(total[:, :, None] - counts)
    return pseudo_values(np.diff(100 * weighted_f1(total), axis=0)[0], np.diff(left, axis=0)[0])


def crossed_bootstrap(counts: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """95 % percentile interval of the difference in F1, seeds and units both drawn with replacement (Owen 2007)."""
    _, seeds, units = counts.shape[:3]
    chosen = rng.multinomial(units, np.full(units, 1 / units), size=BOOTSTRAPS)
    drawn = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=BOOTSTRAPS) / seeds
    flat = counts.transpose(2, 0, 1, 3, 4).reshape(units, -1).astype(np.float64)
    tables = (chosen @ flat).reshape(BOOTSTRAPS, *counts.shape[:2], *counts.shape[3:])
    differences = np.diff(100 * weighted_f1(tables), axis=1)[:, 0]
    low, high = np.quantile((differences * drawn).sum(axis=1), [0.025, 0.975])
    return float(low), float(high)


def crossed_bootstrap_of_means(values: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """The same of a mean."""
    weights = [rng.multinomial(n, np.full(n, 1 / n), size=BOOTSTRAPS) / n for n in values.shape]
    low, high = np.quantile(((weights[0] @ values) * weights[1]).sum(axis=1), [0.025, 0.975])
    return float(low), float(high)


def intervals(found: Spread) -> dict[str, tuple[float, float]]:
    """The three, 95 %."""
    errors = {"new seeds": found.of_seeds, "new units": found.of_units, "combined": found.combined}
    return {name: error.interval(found.mean) for name, error in errors.items()}


def coverage(
    draws: int,
    seeds: Sequence[int] = SEEDS,
    units: Sequence[int] = UNITS,
    mixes: Sequence[Mix] = MIXES,
    f1: bool = True,
) -> Iterator[Row]:
    """In how many of so many draws each interval holds the truth, and how wide it is on average, in points."""
    rng = np.random.default_rng(0)
    for mix in mixes:
        for s, u in ((s, u) for s in seeds for u in units):
            found = []
            for _ in range(draws):
                values = mix.draw(rng, s, u)
                found.append(
                    intervals(spread([values])) | {"crossed bootstrap": crossed_bootstrap_of_means(values, rng)}
                )
            yield {"score": "mean", "spread": mix.name, "seeds": s, "units": u} | _held(found, 0.0)
    if not f1:
        return
    pair = Classifiers()
    truth = pair.truth(rng)
    for s, u in ((s, u) for s in seeds for u in units):
        found = []
        for _ in range(draws // 2):
            counts = pair.counts(rng, s, u)
            found.append(intervals(spread([f1_values(counts)])) | {"crossed bootstrap": crossed_bootstrap(counts, rng)})
        yield {"score": "weighted F1", "spread": "two classifiers", "seeds": s, "units": u} | _held(found, truth)


def folds_coverage(draws: int, per_fold: Sequence[int] = (1, 2, 5), mixes: Sequence[Mix] = MIXES) -> Iterator[Row]:
    """The same where eight folds of three units are tested in turns, by one seed or several each."""
    rng = np.random.default_rng(1)
    for mix in mixes:
        for n in per_fold:
            found = [intervals(spread([mix.draw(rng, n, 3) for _ in range(8)])) for _ in range(draws)]
            yield {"score": "mean, 8 folds", "spread": mix.name, "seeds": 8 * n, "units": 24} | _held(found, 0.0)


def _held(found: Sequence[Mapping[str, tuple[float, float]]], truth: float) -> Row:
    row: Row = {"draws": len(found)}
    for name in found[0]:
        ends = np.array([each[name] for each in found])
        row[name] = np.nan if np.isnan(ends).any() else float(np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1])))
        row[f"{name}, half width"] = float(np.mean(ends[:, 1] - ends[:, 0]) / 2)
    return row


def verdicts(
    draws: int,
    units: Sequence[int] = UNITS,
    mixes: Sequence[Mix] = MIXES,
    margin: float = 1.0,
    true: Sequence[float] = (0.0, 1.0, 2.0),
) -> Iterator[Row]:
    """Verdicts on "better" after `PILOT` seeds, then as many as they say are needed, at most `CAP`.

    `true` differences are in margins. Where the units are the limit, no more seeds than the pilot's are run
    (`lib.reporting.seed_plan`).
    """
    rng = np.random.default_rng(2)
    for mix in mixes:
        for u in units:
            for difference in true:
                said, run, able = [], [], []
                for _ in range(draws):
                    values = mix.draw(rng, CAP, u, difference * margin)
                    asked, found = by_plan([values], margin)
                    run.append(asked.given)
                    able.append(asked.why == ENOUGH)
                    said.append(verdict("better", found.mean, found.combined, margin))
                kept = [s for s, seeds_do in zip(said, able, strict=True) if seeds_do]
                row = {"spread": mix.name, "units": u, "true difference, margins": difference, "draws": draws}
                yield (
                    row
                    | {name: said.count(name) / draws for name in VERDICTS}
                    | {"seeds run, mean": float(np.mean(run)), "planned seeds suffice": len(kept) / draws}
                    | {f"of these {name}": kept.count(name) / len(kept) if kept else np.nan for name in VERDICTS}
                )


def by_plan(tables: Sequence[np.ndarray], margin: float) -> tuple[Ask, Spread]:
    """What `seeds: auto` makes of a table, or of folds with a table each, `CAP` seeds in all: the plan, and the spread
    over the seeds that it gives.
    """
    folds = len(tables)
    for turns in (1, 2) if folds > 1 else (PILOT,):
        pilot = spread([values[:turns] for values in tables])
        asked = ask(pilot, margin, pilot=turns * folds, most=CAP, turn=folds)
        if asked.why != UNTOLD:
            break
    return asked, spread([values[: asked.given // folds] for values in tables], PILOT)


def planned(
    draws: int,
    designs: Sequence[tuple[int, int]] = (*((1, units) for units in UNITS), (8, 3), (8, 12)),
    mixes: Sequence[Mix] = (*MIXES, Mix("seeds alone", 1.5, 0.0, 0.0)),
    margin: float = 1.0,
) -> Iterator[Row]:
    """Where there is no difference and `seeds: auto` says how many to run: in how many draws the combined interval
    holds 0, and, where the plan says that its seeds are enough, in how many the verdict is that there is none.

    A design is a number of folds, 1 where all seeds are tested on the same units, and of units in each.
    """
    rng = np.random.default_rng(3)
    for mix in mixes:
        for folds, units in designs:
            found = [by_plan([mix.draw(rng, CAP // folds, units) for _ in range(folds)], margin) for _ in range(draws)]
            held = [low <= 0 <= high for low, high in (each.combined.interval(each.mean) for _, each in found)]
            able = [verdict("better", e.mean, e.combined, margin) == NO_DIFFERENCE for a, e in found if a.why == ENOUGH]
            whys = [asked.why.partition(":")[0] for asked, _ in found]
            yield (
                {"spread": mix.name, "folds": folds, "units": folds * units, "draws": draws}
                | {"combined": float(np.mean(held))}
                | {"seeds run, mean": float(np.mean([asked.given for asked, _ in found]))}
                | {why: whys.count(why) / draws for why in (ENOUGH, CAPPED, LIMIT)}
                | {f"of these {NO_DIFFERENCE}": float(np.mean(able)) if able else np.nan}
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", nargs="*", default=[], help="coverage, verdicts, planned")
    parser.add_argument("--draws", type=int, default=2000)
    asked = parser.parse_args()
    tables = {
        "coverage": lambda n: pd.DataFrame([*coverage(n), *folds_coverage(n)]),
        "verdicts": lambda n: pd.DataFrame(verdicts(n // 2)),
        "planned": lambda n: pd.DataFrame(planned(n)),
    }
    for name in asked.which or tables:
        table = tables[name](asked.draws).round(4)
        print(table.to_string(), flush=True)
        if not asked.which:
            write_text(RESULTS / f"statistics_{name}.csv", table.to_csv(index=False, lineterminator="\n"))


if __name__ == "__main__":
    main()
