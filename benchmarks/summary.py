"""The front page of the benchmarks: three figures and what they say, every number from the csv files."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from benchmarks import figures
from lib.files import write_text

AGREEMENT = 0.2
"""How far a fitted exponent may lie above that of the mathematics before it is told: caches and allocation."""


def write(results: Path, page: Path, tables: Path, mode: str) -> None:
    """Write the page and its figures. What has not been measured is said to be missing."""
    lines = [
        "# Benchmarks",
        "",
        f"Each model against a direct implementation of its specification (`benchmarks/direct*.py`: whole tensors, "
        f"every step and modality, torch's own layers), how its cost grows, and what a run costs before it trains"
        f"{mode}. Both answer the same before anything is timed; one thread on the CPU, alternating in one process, "
        f"medians of the rounds. `./run_all.sh bench` measures it and writes this page from `benchmarks/results`; "
        f"[every table]({tables.name}) says what it was measured on.",
    ]
    parts = (("Times faster", times_faster), ("Growth", growth), ("Until something trains", startup))
    for title, part in parts:
        lines += ["", f"## {title}", ""]
        lines += list(part(results, page)) or ["Not measured."]
    lines += ["", "## All tables", "", f"[{tables.name}]({tables.name}), each with its machine and date."]
    write_text(page, "\n".join(lines) + "\n")


def times_faster(results: Path, page: Path) -> Iterator[str]:
    """The figure and what it says of speed; then memory and the grid."""
    rows = figures.compared(results)
    if len(rows):
        yield _drawn(figures.times_faster(rows, _beside(page, "times_faster")), "times faster, by model")
        yield ""
        first, last = rows.loc[rows["times faster"].idxmax()], rows.loc[rows["times faster"].idxmin()]
        yield (
            f"* Of {len(rows)} settings the median is {rows['times faster'].median():.2f} times faster, the most is "
            f"{first['times faster']:.2f} ({first['name']}), the least {last['times faster']:.2f} ({last['name']})."
        )
        ranged = rows.dropna(subset=["low", "high"])
        if len(ranged):
            above, below = (ranged["low"] > 1).sum(), (ranged["high"] < 1).sum()
            yield (
                f"* In {above} of the {len(ranged)} that have a range, every round was faster; in {below} every round "
                f"was slower; in {len(ranged) - above - below} the rounds do not agree."
            )
        if len(ranged) < len(rows):
            yield f"* {len(rows) - len(ranged)} were measured before ranges were kept, and are drawn without."
    yield from _memory(results)
    yield from _grid(results)
    yield from _sparse(results)


def _memory(results: Path) -> Iterator[str]:
    table = _table(results, "peaks")
    if table is not None:
        share = table["loop / direct"]
        most = table.loc[share.idxmax()]
        yield (
            f"* Peak memory of a process is {share.min():.2f} to {share.max():.2f} times the direct implementation's, "
            f"median {share.median():.2f}; the most is {most['model']} ({most['loop_peak_MiB']:.0f} against "
            f"{most['direct_peak_MiB']:.0f} MiB)."
        )


def _grid(results: Path) -> Iterator[str]:
    table = _table(results, "grid")
    for (model, members), rows in () if table is None else table.groupby(["model", "members"], sort=False):
        rows = rows[rows["device"] == "cpu"].assign(seconds=pd.to_numeric(rows["seconds"], errors="coerce"))
        rows = rows.dropna(subset="seconds")
        if len(rows) > 1:
            best = rows.loc[rows["seconds"].idxmin()]
            yield (
                f"* A grid of {members} ({model}): {best['times faster']:.1f} times faster than by one plain loop, by "
                f"{best['engine']}."
            )


def _sparse(results: Path) -> Iterator[str]:
    table = _table(results, "end_to_end")
    for _, row in () if table is None else table[table["device"] == "cpu"].iterrows():
        if "gathered" in row["model"]:
            yield (
                f"* The end-to-end model, {row['model']}: {row['time / dense']:.2f} of the dense step's time with "
                f"{row['nominal / dense']:.2f} of its operations."
            )


def growth(results: Path, page: Path) -> Iterator[str]:
    """The figure of the exponents at the end, and which lie above those of the mathematics."""
    table = _table(results, "growth")
    if table is None:
        return
    yield _drawn(figures.growth(table, _beside(page, "growth")), "exponents of seconds and memory, by model")
    yield ""
    last = table.groupby(["axis", "model"], sort=False).tail(1)
    for axis, rows in last.groupby("axis", sort=False):
        sizes = table.loc[table["axis"] == axis, "size"]
        told = [
            f"{words} {found.min():.2f} to {found.max():.2f}"
            for column, words in figures.EXPONENTS.items()
            if len(found := rows[column].dropna())
        ]
        yield f"* {axis.capitalize()}, {len(rows)} models, up to {sizes.max()}: exponents of {' and of '.join(told)}."
    above = [
        f"{row['model']} ({row['axis']}, {words}: {row[column]:.2f})"
        for _, row in last.iterrows()
        for column, words in figures.EXPONENTS.items()
        if row[column] > row["of its mathematics"] + AGREEMENT
    ]
    yield (
        f"* Above the exponent of its mathematics (1; 2 where steps or utterances attend to each other) by more than "
        f"{AGREEMENT:g}: {', '.join(above) or 'none'}."
    )
    yield (
        "* Exponents are taken between the last two sizes. Below those of the mathematics they say that fixed costs or "
        "linear parts still count at that size. Graphs and attention over a dialogue are quadratic in its "
        "length by definition."
    )


def startup(results: Path, page: Path) -> Iterator[str]:
    """The figure of the seconds before a training, and the share of a quick run that trains."""
    table = _table(results, "startup")
    if table is None:
        return
    yield _drawn(figures.startup(table, _beside(page, "startup")), "seconds until something trains")
    yield ""
    for _, row in table.iterrows():
        share = f" ({row['share']:.0%} of the run)" if row.get("share", float("nan")) < 1 else ""
        yield f"* {row['seconds']:.2g} s{share}: {row['part']}."


def _beside(page: Path, name: str) -> Path:
    return page.with_name(f"{page.stem}_{name}.svg")


def _drawn(path: Path, words: str) -> str:
    return f"![{words}]({path.name})"


def _table(results: Path, name: str) -> pd.DataFrame | None:
    path = results / f"{name}.csv"
    return pd.read_csv(path) if path.exists() else None
