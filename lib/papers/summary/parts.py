"""What the page over all papers shows of one run, as HTML. It is kept, because after a run no other has changed."""

import base64
import html
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from functools import cache
from importlib.metadata import version
from math import isnan
from pathlib import Path

import jinja2
import pandas as pd

from lib.files import WORKSPACE, sha256_file, sha256_json, write_json
from lib.papers.summary.evidence import evidence
from lib.reporting.claims import answers, claims, condensed
from lib.reporting.result_folders import CONTENTS, ResultFolder
from lib.reporting.tables import readable

_TABLES = ("published*", "gain*", "{}", "ranks", "not_run", "modality_share*", "robustness*")
"""The tables of a run that the page shows, in this order; in the middle those that a paper's claims name."""
_LONG = 40
"""Rows beyond which a table is folded."""
_FIGURES = ("ranks", "pareto", "forest", "confusion", "modality_share", "robustness")
_TEMPLATE = Path(__file__).with_name("parts.html.j2")
ESCAPING = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
"""In which all that the page shows is made: what comes from data or parameters is escaped."""


@dataclass(frozen=True)
class Part:
    """HTML, in which everything that came from data or parameters is escaped: the `section` of a run, and by the `id`
    of each claim that it answers the rows that say how.
    """

    section: str
    answers: dict[str, str]


def part(folder: ResultFolder, memory: Path | None = None) -> Part:
    """Of a folder with results. In `memory` a file is kept for each run; one that the present code and libraries made
    of the same results is shown again.
    """
    if memory is None:
        return _made(folder)
    kept = Path(memory) / f"{folder.notebook}.{folder.name}.json"
    key = sha256_json([_code(), sha256_file(folder.path / CONTENTS), folder.state])
    with suppress(OSError, ValueError, LookupError, TypeError):
        found = json.loads(kept.read_text(encoding="utf-8"))
        if found["key"] == key:
            return Part(found["section"], found["answers"])
    made = _made(folder)
    with suppress(OSError):  # Nothing is lost but time.
        write_json(kept, {"key": key, **asdict(made)})
    return made


@cache
def _code() -> str:
    """Of everything that can change what is made of a folder."""
    files = sorted(path for path in (WORKSPACE / "lib").rglob("*.*") if path.suffix in (".py", ".csv", ".j2"))
    about = {path.relative_to(WORKSPACE).as_posix(): sha256_file(path) for path in files}
    return sha256_json([about, version("jinja2"), version("pandas")])


def _made(folder: ResultFolder) -> Part:
    macros = _macros()
    return Part(
        section=str(macros.section(folder)),
        answers={claim: str(macros.answers(rows)) for claim, rows in _claimed(folder).items()},
    )


@cache
def _macros() -> jinja2.environment.TemplateModule:
    known = {"tables_of": _tables_of, "figures_of": _figures_of, "evidence": evidence, "selected_on": _selected_on}
    return ESCAPING.from_string(_TEMPLATE.read_text(encoding="utf-8"), globals=known).module


def _selected_on(folder: ResultFolder) -> str:
    """Which split chose the epoch and which the hyper-parameters, in words."""
    how = folder.manifest.get("run", {}).get("selected_on", {})
    return "; ".join(f"{what}: {by}" for what, by in how.items())


def _claimed(folder: ResultFolder) -> dict[str, list[Mapping[str, object]]]:
    """By claim what a run says about it, numbers as strings."""
    about = {"state": folder.state, "selected_on": _selected_on(folder), "evidence": evidence(folder)}
    found: dict[str, list[Mapping[str, object]]] = {}
    for claim, rows in answers(folder).items():
        for row in condensed(rows).to_dict("records"):
            cells = {name: _number(row[name]) for name in ("published", "value", "difference")}
            cells["interval"] = _between(row["low"], row["high"])
            cells["combined"] = _between(row["combined_low"], row["combined_high"])
            cells["holm_p"] = _number(row["holm_p"])
            found.setdefault(claim.id, []).append(row | cells | about)
    return found


def _between(low: float, high: float) -> str:
    return "–" if isnan(low) else f"{_number(low)} to {_number(high)}"


def _number(value: float) -> str:
    return "–" if isnan(value) else f"{value:.3f}"


def _tables_of(folder: ResultFolder) -> list[Mapping[str, object]]:
    """Tables of `_TABLES`, with the columns that the notebook shows: caption, source file, heading and rows."""
    found, tables = [], folder.tables
    own = "|".join(f"{c.table}|{c.beside}" for c in claims() if c.notebook == folder.notebook)
    patterns = "|".join(_TABLES).format(own).split("|")
    for stem in dict.fromkeys(stem for pattern in patterns for stem in tables if fnmatch(stem, pattern)):
        table = tables[stem]
        cells = readable(table.drop(columns="corpus", errors="ignore"), digits=3)
        cells = cells[[name for name in _shown(folder, stem) or cells.columns if name in cells]]
        found.append(
            {
                "caption": stem.replace("_", " "),
                "file": f"{folder.notebook}/{folder.name}/tables/{stem}.csv",
                "synthetic": folder.state == "stand-in",
                "corpus": _corpus(table),
                "folded": len(table) > _LONG,
                "head": list(cells.columns),
                "rows": list(cells.itertuples(index=False, name=None)),
            }
        )
    return found


def _shown(folder: ResultFolder, stem: str) -> list[str]:
    """The headings of a table as the notebook shows it, which are those of its Markdown file."""
    path = folder.path / "tables" / f"{stem}.md"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    head: str = next((line for line in lines if line.startswith("| ")), "")
    return [html.unescape(name.strip()) for name in head.strip("|").split("|")] if head else []


def _figures_of(folder: ResultFolder) -> Iterable[Mapping[str, str]]:
    """Forest plots, confusion matrices, modality shares and robustness curves, as pictures within the page."""
    return [
        {
            "name": path.stem.replace("_", " "),
            "file": f"{folder.notebook}/{folder.name}/figures/{path.name}",
            "data": base64.b64encode(path.read_bytes()).decode("ascii"),
        }
        for kind in _FIGURES
        for path in folder.figures(kind)
    ]


def _corpus(table: pd.DataFrame) -> str:
    return "; ".join(map(str, table["corpus"].unique())) if "corpus" in table else ""
