"""The cost model of docs/scale.md: fitted to benchmarks/results/scale_*.csv, checked on rows left out of it."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.cases import SMALL_MFN

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "scale.md"
FLOAT = 4
PER_MEMBER_FILES = 2
CHUNK_S = 1200.0
JOBS = 50
SLURM_JOB_S = 6.0  # 20 trivial jobs in two slots took 59.6 s: submission, a Python and a Snakemake in each job
Row = dict[str, float | str]


@dataclass(frozen=True)
class Model:
    """`quantity` as a sum of `terms` with fitted coefficients."""

    quantity: str
    terms: tuple[str, ...]
    coefficients: tuple[float, ...]

    def predict(self, row: Row) -> float:
        return float(np.dot(self.coefficients, [TERMS[term](row) for term in self.terms]))


TERMS: dict[str, Callable[[Row], float]] = {
    "1": lambda row: 1.0,
    "utterances x epochs": lambda row: float(row["train"]) * float(row["epochs"]),
    "outputs": lambda row: float(row["outputs"]),
    "epochs": lambda row: float(row["epochs"]),
    "chunks": lambda row: float(row["chunks"]),
    "members": lambda row: float(row["members"]),
}


def read(name: str) -> list[Row]:
    with (RESULTS / f"scale_{name}.csv").open(newline="") as table:
        return [{k: v if k == "model" else float(v) for k, v in row.items()} for row in csv.DictReader(table)]


def fit(quantity: str, terms: tuple[str, ...], rows: Sequence[Row]) -> Model:
    """Least squares of the relative error, over the rows that enter the fit."""
    used = [row for row in rows if row["fitted"]]
    target = np.array([float(row[quantity]) for row in used])
    design = np.array([[TERMS[term](row) for term in terms] for row in used])
    found = np.linalg.lstsq(design / target[:, None], np.ones(len(used)), rcond=None)[0]
    return Model(quantity, terms, tuple(map(float, found)))


def error(model: Model, row: Row) -> float:
    """Predicted over measured, minus one."""
    return model.predict(row) / float(row[model.quantity]) - 1


def member_rows(kind: str) -> list[Row]:
    """Without the weights, whose size needs no fit: four bytes each."""
    rows = [row for row in read("members") if row["model"] == kind]
    return [row | {"bytes without weights": float(row["bytes"]) - FLOAT * float(row["weights"])} for row in rows]


def models() -> list[tuple[str, Model, list[Row]]]:
    """(what, model, all rows) of every fit."""
    found = []
    for kind in dict.fromkeys(str(row["model"]) for row in read("members")):
        rows = member_rows(kind)
        found.append((f"{kind}, a member", fit("seconds", ("1", "utterances x epochs"), rows), rows))
        found.append((f"{kind}, its record", fit("bytes without weights", ("1", "outputs", "epochs"), rows), rows))
    gathering, jobs = read("gathering"), read("jobs")
    found.append(("finding finished members", fit("gather_s", ("1", "members"), gathering), gathering))
    found.append(("a start, its chunks and the gathering notebook", fit("seconds", ("1", "chunks"), jobs), jobs))
    return found


def checks() -> list[tuple[str, Row, float, float]]:
    """(what, row, predicted, relative error) for every measurement that was left out of a fit."""
    return [
        (what, row, model.predict(row), error(model, row))
        for what, model, rows in models()
        for row in rows
        if not row["fitted"]
    ]


def idle_grid() -> tuple[float, float]:
    """Seconds of the clock that a grid of 40 took on an idle machine (`benchmarks.run`), and what the fit says."""
    with (RESULTS / "grid.csv").open(newline="") as table:
        rows = {(row["model"], row["engine"]): row for row in csv.DictReader(table)}
    measured = rows["MFN, hidden 32", "plain loop, one process"]
    member = models_by_name()["MFN, a member"]
    train = SMALL_MFN.samples[0]
    predicted = float(measured["trained"]) * member.predict({"train": train, "epochs": float(measured["epochs"])})
    return float(measured["seconds"]), predicted


def models_by_name() -> dict[str, Model]:
    return {what: model for what, model, _ in models()}


def forecast(members: int, kind: str, epochs: int) -> dict[str, float]:
    """What a grid costs, by the models."""
    by_name = models_by_name()
    rows = member_rows(kind)
    # The benchmark's largest corpus, trained for as long as the paper does.
    row = max(rows, key=lambda r: float(r["train"])) | {"epochs": float(epochs)}
    seconds = by_name[f"{kind}, a member"].predict(row)
    record = by_name[f"{kind}, its record"].predict(row)
    chunks = max(1, round(members * seconds / CHUNK_S))
    jobs = by_name["a start, its chunks and the gathering notebook"]
    return {
        "seconds a member": seconds,
        "core hours": members * seconds / 3600,
        f"hours on {JOBS} cores": (members * seconds + chunks * (jobs.coefficients[1] + SLURM_JOB_S)) / 3600 / JOBS,
        "chunks": chunks,
        "share of jobs' starts": (jobs.coefficients[1] + SLURM_JOB_S) / (CHUNK_S + jobs.coefficients[1] + SLURM_JOB_S),
        "GB of weights": members * FLOAT * float(row["weights"]) / 1e9,
        "GB of records": members * record / 1e9,
        "files": PER_MEMBER_FILES * members,
        "minutes to find the records": by_name["finding finished members"].predict({"members": members}) / 60,
        "GB of records in the gathering notebook's memory": members * record / 1e9,
    }


def write_page() -> int:
    """Returns 1 if a prediction is off by more than 20 %."""
    fits = [
        f"| {what} | {model.quantity} | "
        + " + ".join(_term(c, t) for c, t in zip(model.coefficients, model.terms, strict=True))
        + " |"
        for what, model, _ in models()
    ]
    checked = [
        f"| {what} | {_about(row)} | {float(row[quantity(what)]):.4g} | {predicted:.4g} | {off:+.0%} |"
        for what, row, predicted, off in checks()
    ]
    epochs = 50
    kinds = dict.fromkeys(str(row["model"]) for row in read("members"))
    sizes = [(kind, members) for kind in kinds for members in (10_000, 1_000_000)]
    costs = {size: forecast(size[1], size[0], epochs) for size in sizes}
    head = "| | " + " | ".join(f"{kind}, {n:,} members" for kind, n in sizes) + " |"
    table = [head, "| --- " * (len(sizes) + 1) + "|"]
    table += [f"| {name} | " + " | ".join(f"{costs[s][name]:,.3g}" for s in sizes) + " |" for name in costs[sizes[0]]]
    worst = max(abs(off) for *_, off in checks())
    idle, predicted = idle_grid()
    parts = {name: "\n".join(lines) for name, lines in (("fits", fits), ("checks", checked), ("table", table))}
    filled = TEXT.format(**parts, epochs=epochs, worst=worst, idle=idle, predicted=predicted)
    PAGE.write_text(filled, encoding="utf-8")
    print(f"the worst prediction is off by {worst:.0%}")
    return int(worst > 0.2)


def quantity(what: str) -> str:
    return next(model.quantity for name, model, _ in models() if name == what)


def _term(coefficient: float, term: str) -> str:
    return f"{coefficient:.3g}" if term == "1" else f"{coefficient:.3g} x {term}"


def _about(row: Row) -> str:
    names = [name for name in ("train", "epochs", "members", "chunks") if name in row]
    return ", ".join(f"{name} {float(row[name]):g}" for name in names)


TEXT = (Path(__file__).parent / "scale_page.md").read_text(encoding="utf-8")
