"""What a report shows and keeps of the worth of gains."""

from types import SimpleNamespace

import pandas as pd
import pytest

from lib.reporting.gains import gain_table
from lib.reporting.report import Report
from lib.reporting.two_sources import holm
from tests.reporting.tables_of_runs import STAND_IN
from tests.reporting.test_gains import errors_of, kept


@pytest.fixture
def shown(monkeypatch):
    found: list[str] = []

    def keep(*things: object) -> None:
        found.extend(str(getattr(thing, "data", thing)) for thing in things)

    monkeypatch.setattr("lib.reporting.report.display", keep)
    return found


@pytest.fixture
def report(tmp_path):
    return Report(SimpleNamespace(p=SimpleNamespace(cores=1), folder=tmp_path, label=STAND_IN))


@pytest.fixture(scope="module")
def gains():
    table, runs = kept(errors_of("text only", "rate 0", "rate 0.8"))
    return [gain_table(table, "mae", baseline, runs=runs) for baseline in ("text only", "rate 0")]


def files(report) -> set[str]:
    report._meanwhile.wait()
    return {str(path.relative_to(report.folder)) for path in report.folder.rglob("*.png")} | {
        str(path.relative_to(report.folder)) for path in report.folder.rglob("*.csv")
    }


def test_one_table_a_forest_and_the_power(report, shown, gains):
    report.worth([*gains, pd.DataFrame()])
    assert files(report) == {"tables/gain_worth.csv", "figures/forest.png", "figures/power.png"}
    table = pd.read_csv(report.folder / "tables/gain_worth.csv")
    assert len(table) == 3
    assert table["holm_p"].to_numpy() == pytest.approx(holm(table["combined_p"].to_numpy()))
    assert sum("which is two one-sided tests" in text for text in shown) == 1


def test_parts_and_tasks_have_files_of_their_own_and_the_rule_is_told_once(report, shown, gains):
    report.worth(gains[:1], part="words")
    report.worth(gains[1:], task=SimpleNamespace(name="MOSEI", label=STAND_IN))
    assert {"tables/gain_worth_words.csv", "figures/forest_words.png", "figures/power_words.png"} < files(report)
    assert {"tables/gain_worth_mosei.csv", "figures/forest_mosei.png", "figures/power_mosei.png"} < files(report)
    captions = [text.partition(". Corpus")[0] for text in shown if ". Corpus: " in text]
    assert captions == [
        "Each gain over other seeds, other test units, and both (words)",
        "MOSEI: each gain over other seeds, other test units, and both",
    ]
    assert sum("which is two one-sided tests" in text for text in shown) == 1


def test_nothing_to_set_against_anything_is_said(report, shown):
    report.worth([pd.DataFrame()])
    assert shown == ["No gain: this run has nothing to set against anything."]
    assert files(report) == set()
