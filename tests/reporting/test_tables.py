"""Tables in four formats: merged columns, captions, escaping, precision."""

import csv
import io
from html.parser import HTMLParser

import pandas as pd
import pytest

from lib.reporting import tables
from lib.reporting.caption import caption, is_synthetic
from lib.reporting.gains import SHOWN, gain_table
from tests.reporting.tables_of_runs import REAL, STAND_IN, runs_of

NASTY = "<script>alert('x')</script> & 5 % of a_b | [c](d) $e$ `f` #g {h} ~i^ \\j *k*"


class Page(HTMLParser):
    """Tags and text of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture
def numbers() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "variant": ["rate 0.8", "text only"],
            "n": [5, 1],
            "gain": [-0.12345678, 0.5],
            "gain_std": [0.01, float("nan")],
            "t_interval_low": [-0.2, float("nan")],
            "t_interval_high": [-0.1, float("nan")],
            "p": [4.7e-9, 0.0],
            "equivalent": [True, False],
        }
    )


def test_columns_that_belong_together_are_merged(numbers):
    cells = tables.readable(numbers)
    assert cells.columns.tolist() == ["variant", "n", "gain", "t interval, 95 %", "p", "equivalent"]
    assert cells.iloc[0].tolist() == ["rate 0.8", "5", "-0.1235 ± 0.0100", "-0.2000 to -0.1000", "4.7e-09", "yes"]
    assert cells.iloc[1].tolist() == ["text only", "1", "0.5000", "–", "0.0000", "no"]


def test_shown_chooses_columns_and_order(numbers):
    cells = tables.readable(numbers, shown=("t_interval", "gain"), digits=2)
    assert cells.columns.tolist() == ["t interval, 95 %", "gain"]
    assert cells.iloc[0].tolist() == ["-0.20 to -0.10", "-0.12 ± 0.01"]
    with pytest.raises(KeyError, match="nothing"):
        tables.readable(numbers, shown=("nothing",))


@pytest.mark.parametrize("label", [REAL, STAND_IN])
def test_every_format_carries_the_label(numbers, label):
    options = {"caption": "Gain over text only.", "label": label}
    expected = f"Gain over text only. Corpus: {label}"
    assert tables.markdown(numbers, **options).splitlines()[0] == expected.replace("_", "&#95;")
    assert rf"\caption{{{expected}}}".replace("_", r"\_") in tables.latex(numbers, **options)
    page = tables.page(numbers, **options)
    assert f">{expected}</caption>" in page
    assert ('<caption class="synthetic">' in page) == (label == STAND_IN)
    rows = list(csv.DictReader(io.StringIO(tables.csv(numbers, label=label))))
    assert {row["corpus"] for row in rows} == {label}


def test_labels_that_hide_what_they_are_are_refused(numbers):
    with pytest.raises(ValueError, match="no corpus label"):
        tables.csv(numbers, label="MOSI")
    with pytest.raises(ValueError, match="no corpus label"):
        caption("Gains", "")
    assert is_synthetic(STAND_IN) and not is_synthetic(REAL)


def test_csv_keeps_full_precision(numbers):
    rows = list(csv.DictReader(io.StringIO(tables.csv(numbers, label=REAL))))
    assert float(rows[0]["gain"]) == -0.12345678 and float(rows[0]["p"]) == 4.7e-9
    assert set(numbers.columns) <= set(rows[0])


def nasty_table() -> pd.DataFrame:
    return pd.DataFrame({NASTY: [NASTY, "[x"], "value": [1.0, -2.0]})


def test_html_escapes_and_is_self_contained():
    text = tables.page(nasty_table(), caption=NASTY, label=f"{NASTY}, real data")
    page = Page(text)
    assert "script" not in page.tags and "link" not in page.tags
    assert page.tags.count("td") == 4
    assert page.text.count(NASTY) >= 1
    assert "http" not in text


def test_markdown_escapes():
    lines = tables.markdown(nasty_table(), caption=NASTY, label=f"{NASTY}, real data").splitlines()
    assert all(line.count("|") == 3 for line in lines[2:])
    for special in ("<", "_", "`", "$", "*", "[", "\\"):
        assert special not in "".join(lines)
    assert lines[4].endswith("| 1.0000 |")


def test_latex_escapes():
    text = tables.latex(nasty_table(), caption=NASTY, label=f"{NASTY}, real data")
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    assert body[0] == (
        r"\textless{}script\textgreater{}alert('x')\textless{}/script\textgreater{} \& 5 \% of a\_b \textbar{} "
        r"{[}c{]}(d) \$e\$ `f` \#g \{h\} \textasciitilde{}i\textasciicircum{} \textbackslash{}j {*}k{*} "
        r"& 1.0000 \\"
    )
    assert body[1] == r"{[}x & $-$2.0000 \\"
    assert r"\begin{tabular}{lr}" in text and r"\toprule" in text


def test_gain_table_in_all_formats(tmp_path):
    runs = runs_of({"rate 0.8": [0.5, 0.7, 0.9], "text only": [0.4, 0.5, 0.6]})
    gains = gain_table(runs, "acc", "text only")
    tables.save(gains, tmp_path / "gains.v1", caption="Gains", label=STAND_IN, shown=SHOWN, digits=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"gains.v1.{ending}" for ending in ("csv", "html", "md", "tex")
    ]
    last = (tmp_path / "gains.v1.md").read_text(encoding="utf-8").splitlines()[-1]
    assert last == (
        "| rate 0.8 | 3 | 0.700 ± 0.200 | 0.500 ± 0.100 | 0.200 ± 0.100 | -0.048 to 0.448 | 0.074 | 3 "
        "| neutral | positive |  |"
    )
    assert r"0.200 $\pm$ 0.100 & $-$0.048 to 0.448" in (tmp_path / "gains.v1.tex").read_text(encoding="utf-8")
