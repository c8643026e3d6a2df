"""Whatever ids, labels, parameters and files hold: on the pages it is text."""

import json
import re
import shutil
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import numpy as np
import pandas as pd
import pytest

from lib.papers.summary.page import write_page
from lib.reporting import drawing, figures, tables
from lib.reporting.caption import REAL as REAL_DATA
from lib.reporting.result_folders import write_contents
from lib.workflow.report_page import report
from tests.papers.summary.kept_results import copy_kept
from tests.workflow.workspace import REAL

HARM = {
    "script": "<script>alert(1)</script>",
    "closing": "</pre></td></table></title></style></script><script>alert(1)</script>",
    "image": "<img src=x onerror=alert(1)>",
    "vector image": "<svg/onload=alert(1)>",
    "frame": "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "link": "[here](javascript:alert(1)) <a href='javascript:alert(1)'>x</a>",
    "data link": "[here](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "attribute": '" onmouseover="alert(1)" x=\'',
    "style": "<style>body{background:url(//example.org)}</style><p style='background:url(//example.org)'>x</p>",
    "form": "<form action='//example.org'><input autofocus onfocus=alert(1)></form>",
    "base": "<base href='//example.org'><meta http-equiv=refresh content='0;url=//example.org'>",
    "template": "{{ 7 * 7 }}{% raw %} ${alert(1)}",
    "comment": "<!-- --><script>alert(1)</script><!-- -->",
    "fence": "```\n</code></pre><script>alert(1)</script>\n```",
    "entities": "&lt;script&gt;alert(1)&lt;/script&gt;",
    "row": "a | b\n| --- |\n| <script>alert(1)</script> |",
}


LOADING = {"script", "style", "iframe", "object", "embed", "base", "meta", "form", "input", "link", "svg", "img"}


class Active(HTMLParser):
    """What a page does: its scripts, styles, handlers, addresses and elements that load something."""

    def __init__(self, page: str):
        super().__init__()
        self.found: Counter[str] = Counter()
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self._inside = tag
        if tag in (
            "script",
            "style",
            "iframe",
            "object",
            "embed",
            "base",
            "meta",
            "form",
            "input",
            "link",
            "svg",
            "img",
        ):
            self.found[tag] += 1
        for name, value in attributes:
            value = (value or "").strip().lower()
            loads = name == "style" and "url(" in value
            if name.startswith("on") or value.startswith(("javascript:", "data:text", "vbscript:")) or loads:
                self.found[f"{tag} {name}={value[:40]}"] += 1

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "script":
            self.found[f"script: {len(data)} characters"] += 1


def notebook(text: str, folder: Path) -> Path:
    """An executed notebook that shows `text` wherever a notebook can."""
    table = pd.DataFrame({"variant": [text], "score": [0.5]})
    shown = [
        {"text/markdown": f"**Note.** {text}."},
        {"text/markdown": f"- {text}"},
        {"text/markdown": tables.markdown(table, caption=text, label=f"{text}, real data")},
        {"text/plain": text},
        {"text/html": f"<b>{text}</b>"},
        {"text/latex": text},
        {"image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg'><text>{text}</text></svg>"},
        {"application/javascript": text},
    ]
    outputs = [nbformat.v4.new_output("display_data", data=data, metadata={}) for data in shown]
    outputs.append(nbformat.v4.new_output("stream", name="stdout", text=f"\x1b[31m{text}"))
    outputs.append(nbformat.v4.new_output("error", ename=text, evalue=text, traceback=[text]))
    cells = [
        nbformat.v4.new_markdown_cell(f"# A story\n\n{text}"),
        nbformat.v4.new_code_cell(f"dataset = {text!r}", outputs=outputs, execution_count=1),
    ]
    path = folder / "executed.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"title": text}), path)
    return path


@pytest.fixture(scope="module")
def harmless(tmp_path_factory) -> Counter:
    return Active(report(notebook("words", tmp_path_factory.mktemp("harmless")))).found


@pytest.mark.parametrize("name", HARM)
def test_a_report_does_no_more_than_a_harmless_one(name, harmless, tmp_path):
    page = report(notebook(HARM[name], tmp_path))
    found = Active(page).found
    # An SVG picture stands in an image of its own, where nothing runs.
    assert {k: n for k, n in found.items() if not k.startswith("img src=data:")} == harmless


def test_a_report_keeps_its_own_markup(tmp_path):
    page = report(notebook("words", tmp_path))
    assert re.search(r"<h1[^>]*>A story", page)
    assert "<strong>Note.</strong>" in page
    assert 'style="text-align:right;"' in page
    assert "&lt;p&gt;" not in page and "&lt;h1" not in page
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//|import\s+["']http""", page)
    assert 'src=""' not in page


def test_a_real_report_loses_nothing():
    """The stored outputs of a notebook: as many tables, rows, headings and pictures as they hold."""
    path = REAL / "notebooks" / "mosi_positive_colearning.ipynb"
    page = report(path)
    stored = nbformat.read(path, as_version=4)
    markdown = [c.source for c in stored.cells if c.cell_type == "markdown"]
    headings = re.findall(r"^#+ ", "\n".join(markdown), re.MULTILINE)
    outputs = [o.get("data", {}) for c in stored.cells if c.cell_type == "code" for o in c.outputs]
    assert len(re.findall(r"<h[1-6]", page)) == len(headings)
    assert page.count("<table") == sum(d.get("text/markdown", "").count("\n| ---") for d in outputs) + sum(
        text.count("\n| ---") for text in markdown
    )
    assert page.count("<img") == sum("image/png" in data for data in outputs)
    assert not re.search(r"&lt;/?(p|h\d|td|th|tr|ul|li|span|div)\b", page)


@pytest.mark.parametrize("name", HARM)
def test_a_table_page_holds_text_only(name):
    text = HARM[name]
    table = pd.DataFrame({text: ["x"], "score": [0.5], "variant": [text]})
    page = tables.page(table, caption=text, label=f"{text}, real data")
    plain = tables.page(table.rename(columns={text: "a"}).assign(variant="b"), caption="c", label="d, real data")
    assert Active(page).found == Active(plain).found


def test_a_figure_holds_text_only(tmp_path):
    names = [HARM[name].replace("$", "") for name in ("script", "image", "vector image", "attribute", "comment")]
    matrices = [(names[0], np.eye(5, dtype=int))]
    figure = figures.confusion_matrices(matrices, names, label=f"{names[1]}, real data", title=names[2])
    drawing.save(figure, tmp_path / "figure")
    elements = list(ElementTree.parse(tmp_path / "figure.svg").iter())
    found = {element.tag.rpartition("}")[2] for element in elements} | {a for e in elements for a in e.attrib}
    assert not [name for name in found if name in LOADING - {"svg", "style"} or name.startswith("on")]


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """The kept results of one run, in a folder of their own."""
    root = tmp_path_factory.mktemp("results")
    copy_kept(("mosi_positive_colearning", "utterances"), root / "paper" / "quick")
    return root


def replaced(value: object, text: str) -> object:
    """All words in a manifest, but for the ends that say whether data are real."""
    if isinstance(value, dict):
        return {key: replaced(item, text) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, text) for item in value]
    if isinstance(value, str) and value.endswith(REAL_DATA):
        return f"{text}, {REAL_DATA}"
    return text if isinstance(value, str) else value


def summary_page(results: Path, text: str, folder: Path) -> str:
    shutil.copytree(results, folder, dirs_exist_ok=True)
    run = folder / "paper" / "quick"
    (run / "manifest.json").write_text(json.dumps(replaced(json.loads((run / "manifest.json").read_text()), text)))
    for path in (run / "tables").glob("*.csv"):
        table = pd.read_csv(path)
        for column in table.columns[[not pd.api.types.is_numeric_dtype(table[c]) for c in table]]:
            table[column] = [replaced(value, text) if column == "corpus" else text for value in table[column]]
        table.to_csv(path, index=False)
    write_contents(run)
    return write_page(folder, [("paper", "quick")]).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def plain_page(results, tmp_path_factory) -> Counter:
    return Active(summary_page(results, "words", tmp_path_factory.mktemp("plain"))).found


@pytest.mark.parametrize("name", ["script", "closing", "image", "attribute", "style", "template"])
def test_the_page_over_all_results_does_no_more_than_a_harmless_one(name, results, plain_page, tmp_path):
    page = summary_page(results, HARM[name], tmp_path)
    assert Active(page).found == plain_page
    assert "49" not in re.findall(r">([^<]*)</td>", page)
