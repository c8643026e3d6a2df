"""All papers on one page: what was claimed, what came out, on which data, and how sure it is.

The page holds every style, script and picture itself, so it opens from a folder, offline, anywhere.
"""

import base64
from collections.abc import Iterable, Mapping
from math import isnan
from pathlib import Path

import jinja2
import pandas as pd

from lib.files import write_text
from lib.reporting.claims import DIRECTION_RULE, Claim, answers, claims, condensed
from lib.reporting.gains import COLEARNING_RULE
from lib.reporting.published import VERDICT_RULE
from lib.reporting.result_folders import STATES, ResultFolder, read_folder
from lib.reporting.tables import readable

PAPERS: dict[str, str] = {
    "iemocap_negative_colearning": "Co-learning with aggressive modality dropout: IEMOCAP",
    "mosi_positive_colearning": "Co-learning with aggressive modality dropout: MOSI",
    "low_rank_fusion": "Low-rank multimodal fusion",
    "emotion_embeddings": "Modality-transferable emotion embeddings",
    "unseen_emotions": "Modality-transferable emotion embeddings: unseen emotions",
    "self_paced_balance": "Self-paced curriculum learning in conversations",
    "end_to_end_sparse": "End-to-end emotion recognition, dense and sparse",
}
"""Titles by notebook, in the order of the page; other notebooks follow under their own names."""

_GAIN = ("variant", "baseline", "metric", "n", "score", "baseline_score", "gain", "t_interval", "verdict")
_SHOWN = {
    "published": ("variant", "claim", "quantity", "paper", "reproduced", "reproduced_n", "difference", "verdict"),
    "gain": _GAIN,
    "contrasts": _GAIN,
    "dense_and_sparse": _GAIN,
    "changes": _GAIN,
    "costs": ("variant", "threshold", "form", "nominal_ratio", "counted_ratio", "seconds_ratio"),
    "attention": ("variant", "attention", "modality", "stage", "n", "chance", "mass", "kept_inside", "verdict"),
    "spcl_effect": ("backbone", "modalities", "metric", "n", "with_spcl", "without", "gain", "t_interval", "verdict"),
    "trimodal": ("backbone", "over", "spcl", "metric", "n", "gain_points", "points", "verdict"),
    "zero_shot": ("emotion", "vectors", "n", "auc", "seeds", "random_auc", "verdict"),
    "few_shot": ("setting", "n", "auc", "auc_seeds", "weighted_acc"),
    "modality_share": ("model", "modality", "metric", "seeds", "share_mean", "share", "score_all", "score_none"),
    "robustness": ("model", "modality", "kind", "level", "metric", "seeds", "mean", "low", "high"),
}
_LONG = 40
"""Rows beyond which a table is folded."""
_FIGURES = ("confusion", "modality_share", "robustness")
NOT_PAPERS = ("summary", "explore")
_TEMPLATE = Path(__file__).with_name("summary_page.html.j2")


def write_page(results: Path, runs: Iterable[tuple[str, str]]) -> Path:
    """Write `index.html` into the results folder for the runs `(notebook, name)`; returns its path."""
    folders = [read_folder(results, notebook, name) for notebook, name in runs]
    target = results / "index.html"
    write_text(target, page(folders))
    return target


def page(folders: Iterable[ResultFolder]) -> str:
    """The page as HTML; everything that comes from data or parameters is escaped."""
    by_paper: dict[str, list[ResultFolder]] = {}
    for folder in (folder for folder in folders if folder.notebook not in NOT_PAPERS):
        by_paper.setdefault(folder.notebook, []).append(folder)
    order = [*(name for name in PAPERS if name in by_paper), *sorted(set(by_paper) - set(PAPERS))]
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    papers = [(name, PAPERS.get(name, name.replace("_", " ")), by_paper[name]) for name in order]
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        papers=papers,
        states=STATES,
        claimed=claimed(folder for _, _, paper in papers for folder in paper),
        rules={
            "verdict on a published number": VERDICT_RULE,
            "verdict on a gain": COLEARNING_RULE,
            "direction": DIRECTION_RULE,
        },
        tables_of=tables_of,
        figures_of=figures_of,
        selected_on=selected_on,
    )


def selected_on(folder: ResultFolder) -> str:
    """Which split chose the epoch and which the hyper-parameters, in words."""
    how = folder.manifest.get("run", {}).get("selected_on", {})
    return "; ".join(f"{what}: {by}" for what, by in how.items())


def claimed(folders: Iterable[ResultFolder]) -> dict[Claim, list[Mapping[str, object]]]:
    """By claim what each run says about it, numbers as strings; claims without an answer are left out."""
    found: dict[Claim, list[Mapping[str, object]]] = {claim: [] for claim in claims()}
    for folder in folders:
        about = {"state": folder.state, "selected_on": selected_on(folder)}
        for claim, rows in answers(folder).items():
            for row in condensed(rows).to_dict("records"):
                cells = {name: _number(row[name]) for name in ("published", "value", "difference")}
                cells["interval"] = "–" if isnan(row["low"]) else f"{_number(row['low'])} to {_number(row['high'])}"
                found[claim].append(row | cells | about)
    return {claim: rows for claim, rows in found.items() if rows}


def _number(value: float) -> str:
    return "–" if isnan(value) else f"{value:.3f}"


def tables_of(folder: ResultFolder) -> list[Mapping[str, object]]:
    """The tables of the kinds in `_SHOWN`, in that order: caption, source file, heading and rows."""
    found = []
    for kind, columns in _SHOWN.items():
        for stem, table in folder.tables(kind).items():
            shown = [c for c in columns if c in table or f"{c}_low" in table]
            cells = readable(table, shown=shown, digits=3)
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


def figures_of(folder: ResultFolder) -> list[Mapping[str, str]]:
    """Confusion matrices, modality shares and robustness curves, as pictures within the page."""
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
