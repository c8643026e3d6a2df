"""The page over all results: what it shows, what it refuses to show, and what it asks of a network."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from lib.papers.summary.page import page, write_page
from lib.reporting.claims import answers, claims
from lib.reporting.result_folders import ResultFolder, read_folder, write_contents
from lib.reporting.tables import markdown, readable
from tests.papers.summary.kept_results import RESULTS, kept_runs

PNG = b"\x89PNG\r\n\x1a\n"


def make(results: Path, notebook: str = "low_rank_fusion", name: str = "quick", label: str = "X, real data", **source):
    folder = results / notebook / name
    (folder / "tables").mkdir(parents=True)
    (folder / "figures").mkdir()
    gain = {"variant": "LMF", "baseline": "TFN", "metric": "mae", "n": 5, "score": 0.51234, "score_std": 0.0123}
    gain |= {"gain": -0.0456, "t_interval_low": -0.1, "t_interval_high": 0.009, "verdict": "neutral", "corpus": label}
    pd.DataFrame([gain]).to_csv(folder / "tables" / "gain_mae_over_TFN.csv", index=False)
    (folder / "figures" / "confusion.png").write_bytes(PNG)
    about = {
        "data": [{"label": label, "synthetic": False, "warnings": ["labels leak"]} | source],
        "run": {"seeds": [0, 1], "selected_on": {"epoch": "validation loss", "hyper-parameters": "none"}},
        "code": {"commit": "abcdef0123", "dirty": False},
        "volatile": {"durations": {"training, all runs": 90.0}},
    }
    (folder / "manifest.json").write_text(json.dumps(about))
    write_contents(folder)
    return folder


def test_a_whole_folder_and_none(tmp_path):
    make(tmp_path)
    make(tmp_path, name="paper")
    make(tmp_path, name="like", label="X, SYNTHETIC stand-in", synthetic=True)
    states = {name: read_folder(tmp_path, "low_rank_fusion", name).state for name in ("quick", "paper", "like", "none")}
    assert states == {"quick": "real partial", "paper": "real full", "like": "stand-in", "none": "not run"}


def tamper(folder: Path) -> None:
    table = folder / "tables" / "gain_mae_over_TFN.csv"
    table.write_text(table.read_text().replace("-0.0456", "0.0456"))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (tamper, "changed since the run: tables/gain_mae_over_TFN.csv"),
        (lambda f: (f / "figures" / "confusion.png").unlink(), "missing: figures/confusion.png"),
        (lambda f: (f / "tables" / "gain_acc.csv").write_text("score\n1\n"), "not written by the run"),
        (lambda f: (f / "contents.json").unlink(), "the run has not ended"),
        (lambda f: (f / "contents.json").write_text("{"), "Expecting"),
        (lambda f: shutil.rmtree(f / "tables"), "missing: tables"),
    ],
)
def test_a_damaged_folder_is_listed_as_damaged_and_none_of_its_numbers_is_shown(tmp_path, damage, words):
    damage(make(tmp_path))
    found = read_folder(tmp_path, "low_rank_fusion", "quick")
    assert found.state == "damaged"
    assert words in found.damage
    text = page([found])
    assert "damaged" in text
    assert "0.512" not in text


class Tables(HTMLParser):
    """The cells of every table with a source file."""

    def __init__(self, text: str):
        super().__init__()
        self.found, self.rows, self.cell = {}, None, None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == "table":
            self.rows = self.found.setdefault(dict(attributes).get("data-file", ""), [])
        elif tag == "tr":
            self.rows.append([])
        elif tag == "td":
            self.cell = ""

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data

    def handle_endtag(self, tag):
        if tag == "td":
            self.rows[-1].append(self.cell)
            self.cell = None


@pytest.fixture(scope="module")
def kept() -> list[ResultFolder]:
    """The results in the repository."""
    return [read_folder(RESULTS, *run) for run in kept_runs()]


def test_what_is_kept_is_whole_and_real(kept):
    assert {folder.name: folder.damage for folder in kept if folder.state not in ("real partial", "real full")} == {}
    assert len({folder.notebook for folder in kept}) > 4


def test_every_number_of_the_kept_results_comes_from_its_table(kept):
    tables = Tables(page(kept)).found
    assert {file.split("/")[0] for file in tables if file} == {folder.notebook for folder in kept} - {"summary"}
    for file, rows in tables.items():
        if not file:
            continue
        table = pd.read_csv(RESULTS / file)
        every = readable(table, digits=3)
        cells = {str(cell) for column in every for cell in every[column]}
        assert len(rows) - 1 == len(table), file
        assert {cell for row in rows for cell in row} <= cells, file


class Claims(HTMLParser):
    """The rows that answer a claim: file, number of the row in it, how many rows it stands for, and the cells."""

    def __init__(self, text: str):
        super().__init__()
        self.found, self.cell, self.over = [], None, True
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "tr":
            self.over = "data-row" not in given
        if tag == "tr" and "data-row" in given:
            self.found.append((given["data-file"], int(given["data-row"]), int(given["data-rows"]), []))
        elif tag == "td" and self.found and not self.over:
            self.cell = ""

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data

    def handle_endtag(self, tag):
        if tag == "td" and self.cell is not None:
            self.found[-1][3].append(self.cell.strip())
            self.cell = None
        elif tag == "table":
            self.cell = None


def test_every_number_beside_a_claim_is_the_cell_of_a_kept_table(kept):
    """Found by other means than the page's: file and row from the page, columns by the tables' kinds."""
    rows = [row for row in Claims(page(kept)).found if row[3]]
    assert {file.split("/")[0] for file, *_ in rows} == {folder.notebook for folder in kept} - {"summary", "bench"}
    for file, number, count, cells in rows:
        table = pd.read_csv(RESULTS / file)
        _, corpus, _, _, published, here, interval, seeds, combined, _, _, direction, decide, difference, verdict, _ = (
            cells
        )
        if count > 1:
            effect = table["gain"] if "gain" in table else table.loc[table["spcl"] == "with - without", "gain_points"]
            assert (here, count, interval) == (f"{effect.mean():.3f}", len(effect), "–"), file
            assert sum(int(part.split()[0]) for part in direction.split(", ")) == count
            continue
        row = table.iloc[number]
        low, high = next(
            (row[a], row[b])
            for a, b in (
                ("gain_low", "gain_high"),
                ("t_interval_low", "t_interval_high"),
                ("points_low", "points_high"),
                ("seeds_low", "seeds_high"),
            )
            if a in row
        )
        ours = next(row[name] for name in ("reproduced", "gain", "gain_points", "auc") if name in row)
        assert (corpus, here) == (row["corpus"], f"{ours:.3f}"), file
        assert interval == (f"{low:.3f} to {high:.3f}" if low == low else "–")
        assert int(seeds) == row["reproduced_n" if "reproduced_n" in row else "n"]
        paper = row.get("paper", float("nan"))
        assert published == (f"{paper:.3f}" if paper == paper else "–")
        assert verdict == (row["verdict"] if "paper" in row else "")
        assert (difference == "–") == ("not comparable" in verdict or not verdict)
        assert (combined == "–") == ("combined_low" not in row or row["combined_low"] != row["combined_low"])
        if combined == "–" and (low > 0 or high < 0):
            assert direction in ("as claimed", "opposite")
        assert bool(decide) == (direction == "undecided" and low == low)


def test_the_summary_that_is_kept_says_what_the_kept_tables_say():
    """It has no tables on the page; its own are answers to claims, each the cell of another run's table."""
    summaries = [run for run in kept_runs() if run[0] == "summary"]
    assert summaries
    for run in summaries:
        answered = pd.read_csv(RESULTS.joinpath(*run, "tables", "claims.csv")).query("rows == 1")
        assert answered["file"].nunique() > 5
        for row in answered.to_dict("records"):
            found = pd.read_csv(RESULTS / row["file"]).iloc[row["row"]]
            cell = next(found[name] for name in ("reproduced", "gain", "gain_points", "auc") if name in found)
            assert row["value"] == cell, row["file"]


def test_a_claim_says_its_kind_margin_and_rule(kept):
    text = page(kept)
    assert "claimed: better, margin 0.01 or 0.02). Positive, negative or neutral co-learning" in text
    rules = [claim.rule for claim in claims() if claim.notebook in {folder.notebook for folder in kept}]
    assert text.count("co-learning: the 95 % t-interval") == sum("co-learning: the 95 %" in rule for rule in rules) > 0
    assert "Emotion embeddings score higher" in text and "weighted accuracy, on IEMOCAP plain accuracy" in text


def test_every_claim_is_answered_by_a_kept_run_where_there_is_one(kept):
    """A table that is renamed would silently empty the page. tests/results asks the same of the quick runs."""
    answered = {claim for folder in kept for claim in answers(folder)}
    assert answered
    asked = {claim for claim in claims() if claim.notebook in {folder.notebook for folder in kept}}
    assert not asked - answered


def test_the_columns_of_a_table_are_those_that_its_notebook_shows(tmp_path):
    folder = make(tmp_path)
    table = pd.read_csv(folder / "tables" / "gain_mae_over_TFN.csv")
    text = markdown(table, caption="Gains", label="X, real data", shown=["variant", "score", "t_interval"])
    (folder / "tables" / "gain_mae_over_TFN.md").write_text(text, encoding="utf-8")
    write_contents(folder)
    shown = page([read_folder(tmp_path, "low_rank_fusion", "quick")])
    assert "<th>variant</th><th>score</th><th>t interval, 95 %</th></tr>" in shown


def test_tables_beyond_forty_rows_are_folded_and_modality_tables_shown(tmp_path):
    folder = make(tmp_path)
    share = {"model": "LMF", "modality": "text", "share_mean": 0.125, "share_low": 0.1, "share_high": 0.15, "seeds": 5}
    share |= {"metric": "acc", "score_all": 0.9, "score_none": 0.5, "corpus": "X, real data"}
    pd.DataFrame([share]).to_csv(folder / "tables" / "modality_share.csv", index=False)
    level = {
        "model": "LMF",
        "modality": "text",
        "kind": "noise",
        "metric": "acc",
        "mean": 0.75,
        "low": 0.7,
        "high": 0.8,
    }
    curve = pd.DataFrame([level | {"level": k / 10, "seeds": 5, "corpus": "X, real data"} for k in range(41)])
    curve.to_csv(folder / "tables" / "robustness.csv", index=False)
    write_contents(folder)
    text = page([read_folder(tmp_path, "low_rank_fusion", "quick")])
    assert "<td>0.125</td><td>0.100 to 0.150</td>" in text
    assert "robustness (41 rows)" in text


def test_the_page_asks_nothing_of_a_network_and_escapes_what_it_shows(tmp_path):
    make(tmp_path, label="<script>alert(1)</script>, real data")
    target = write_page(tmp_path, [("low_rank_fusion", "quick"), ("other_paper", "paper")])
    text = target.read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert not re.search(r"""(?:src|href|url)\s*[=(]\s*["']?(?:https?:)?//""", text)
    assert "Other paper" in text
    assert "labels leak" in text
    links = [link for link in re.findall(r'href="([^"#]+)"', text) if not link.endswith(("report.html", "/"))]
    assert links
    assert all((tmp_path / link).exists() for link in links)


def test_a_warning_that_several_corpora_share_is_said_once(tmp_path):
    folder = make(tmp_path)
    about = json.loads((folder / "manifest.json").read_text())
    about["data"] = [about["data"][0] | {"label": f"{name}, real data"} for name in "XY"]
    (folder / "manifest.json").write_text(json.dumps(about))
    write_contents(folder)
    assert page([read_folder(tmp_path, "low_rank_fusion", "quick")]).count("labels leak") == 1


def test_stand_ins_are_marked_wherever_they_are_named(tmp_path):
    make(tmp_path, label="X, SYNTHETIC stand-in", synthetic=True)
    text = page([read_folder(tmp_path, "low_rank_fusion", "quick")])
    for line in text.splitlines():
        if "X, SYNTHETIC" in line and "alt=" not in line:
            assert "stand-in" in re.findall(r'class="([^"]+)"', line)[-1] or "data-run" in text
