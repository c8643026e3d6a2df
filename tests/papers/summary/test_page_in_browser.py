"""The page over the kept results, opened in headless Chromium: what it asks for, how it sorts, looks and prints.

Only behaviour is looked at, not markup. The browser is the machine's own; playwright brings the driver alone.
"""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

from lib.papers.summary.page import write_page
from lib.workflow.runs import known_runs
from tests.papers.summary.kept_results import make_results

pytestmark = pytest.mark.slow

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DAMAGED = "low_rank_fusion/pom_av"
DESK, PHONE, PAPER = ({"width": w, "height": h} for w, h in ((1200, 900), (390, 844), (718, 1047)))
"""In CSS pixels; PAPER is A4 upright within margins of 10 mm."""
READABLE = 4.5
"""Contrast of text to its background that WCAG 2 asks for at level AA."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium on this machine (Debian: apt install chromium)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """The page over all runs, beside a copy of the kept results and a stand-in's, one folder damaged."""
    results = make_results(tmp_path_factory.mktemp("a folder"))
    next((results / DAMAGED / "tables").glob("gain_*.csv")).unlink()
    return write_page(results, [(run.notebook, run.name) for run in known_runs()])


class Visit:
    """A page opened in a context of its own, with all that it said and all that it asked for beyond itself."""

    def __init__(self, browser: Browser, file: Path, **how):
        self.said: list[str] = []
        self.asked: list[str] = []
        self._itself = file.as_uri()
        self.context = browser.new_context(**how)
        self.context.route("**/*", self._let_nothing_out)
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.goto(self._itself)

    def _let_nothing_out(self, route: Route) -> None:
        if route.request.url == self._itself:
            route.continue_()
        else:
            self.asked.append(route.request.url)
            route.abort()

    def __enter__(self) -> "Visit":
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def unfold(self) -> None:
        self.page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")


def use_everything(visit: Visit) -> None:
    visit.unfold()
    visit.page.evaluate("for (const head of document.querySelectorAll('th')) head.click()")
    visit.page.evaluate("for (const link of document.querySelectorAll('a[href^=\"#\"]')) link.click()")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_says_nothing_asks_for_nothing_and_shows_every_picture(browser, written, scheme):
    with Visit(browser, written, viewport=DESK, color_scheme=scheme) as visit:
        use_everything(visit)
        pictures = visit.page.evaluate("[...document.images].map(image => [image.complete, image.naturalWidth])")
        assert len(pictures) > 5
        assert all(complete and width > 100 for complete, width in pictures)
        assert (visit.said, visit.asked) == ([], [])


def test_a_page_that_asks_and_complains_is_noticed(browser, tmp_path):
    spoilt = tmp_path / "index.html"
    spoilt.write_text('<img src="http://example.invalid/a.png"><script>console.error("oh"); absent()</script>')
    with Visit(browser, spoilt) as visit:
        assert visit.asked == ["http://example.invalid/a.png"]
        assert "oh" in visit.said
        assert any("absent is not defined" in line for line in visit.said)


def test_a_damaged_folder_is_listed_as_such_and_has_no_section(browser, written):
    with Visit(browser, written, viewport=DESK) as visit:
        assert "damaged: missing: tables/gain_" in visit.page.locator(f'tr[data-run="{DAMAGED}"]').inner_text()
        assert visit.page.locator("#low_rank_fusion-pom_av").count() == 0
        assert visit.page.locator("#low_rank_fusion-mosi_words").count() == 1


def test_every_link_within_the_page_has_its_target_and_opens_it(browser, written):
    with Visit(browser, written, viewport=DESK) as visit:
        targets = visit.page.evaluate("[...document.querySelectorAll('a[href^=\"#\"]')].map(a => a.hash.slice(1))")
        assert len(targets) > 10
        assert [name for name in targets if visit.page.locator(f'[id="{name}"]').count() != 1] == []
        folded = visit.page.evaluate("[...document.querySelectorAll('details[id]:not([open])')].map(d => d.id)")
        name = next(name for name in folded if name in targets)
        visit.page.locator(f'a[href="#{name}"]').first.click()
        visit.page.wait_for_selector(f'details[id="{name}"][open]')


COLUMN = """([table, column]) => [...document.querySelectorAll("table")[table].tBodies[0].rows]
    .map(row => row.cells[column].textContent.trim())"""
HEADS = """() => [...document.querySelectorAll("table")].flatMap((table, at) => table.tBodies[0].rows.length < 3 ? []
    : [...table.tHead.rows[0].cells].map((_, column) => [at, column]))"""


def place(cell: str, upwards: bool) -> tuple[int, float]:
    """Where a cell belongs: numbers by their first number, then words, then what is missing."""
    first = re.match(r"[-+]?\d*\.?\d+(?:e[-+]?\d+)?", cell)
    if first:
        return 0, float(first[0]) * (1 if upwards else -1)
    return (1, 0.0) if cell not in ("", "–") else (2, 0.0)


SORTED = """() => [...document.querySelectorAll("table")].flatMap((table, at) => [...table.tHead.rows[0].cells].map(
    (head, column) => {
      const cells = () => [...table.tBodies[0].rows].map(row => row.cells[column].textContent.trim());
      const before = cells();
      head.click();
      const up = cells();
      head.click();
      return [before, up, cells()];
    }))"""


def test_every_column_sorts_both_ways_and_loses_no_row(browser, written):
    with Visit(browser, written, viewport=DESK) as visit:
        columns = visit.page.evaluate(SORTED)
    assert len(columns) > 100
    mixed = 0
    for before, *after in columns:
        for cells, upwards in zip(after, (True, False), strict=True):
            assert sorted(cells) == sorted(before)
            places = [place(cell, upwards) for cell in cells]
            assert places == sorted(places), cells
        mixed += len({kind for kind, _ in places}) > 1
    assert mixed > 0  # a column that has numbers and "–" was among them


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_sorting_by_keyboard_alone(browser, written, key):
    with Visit(browser, written, viewport=DESK) as visit:
        where = next(
            [table, column]
            for table, column in visit.page.evaluate(HEADS)
            if len({place(cell, True) for cell in visit.page.evaluate(COLUMN, [table, column])}) > 2
        )
        head = visit.page.locator("table").nth(where[0]).locator("th").nth(where[1])
        head.locator("xpath=preceding-sibling::th[1]").focus()
        visit.page.keyboard.press("Tab")
        assert head.evaluate("head => head === document.activeElement")
        scrolled = visit.page.evaluate("scrollY")
        for upwards in (True, False):
            visit.page.keyboard.press(key)
            assert head.get_attribute("aria-sort") == ("ascending" if upwards else "descending")
            places = [place(cell, upwards) for cell in visit.page.evaluate(COLUMN, where)]
            assert places == sorted(places)
            assert len(set(places)) > 2
        assert visit.page.evaluate("scrollY") == scrolled


COLOURS = """() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const behind = node => {
    const colour = rgb(getComputedStyle(node).backgroundColor);
    return colour.length === 4 && colour[3] === 0 && node.parentElement ? behind(node.parentElement) : colour;
  };
  const seen = {};
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || ["SCRIPT", "STYLE"].includes(node.tagName)) continue;
    const pair = [rgb(getComputedStyle(node).color), behind(node)];
    seen[JSON.stringify(pair)] = walk.currentNode.data.trim().slice(0, 60);
  }
  return seen;
}"""


def luminance(colour: list[float]) -> float:
    """Relative luminance of WCAG 2; the colour in 0 to 255."""
    parts = [value / 255 for value in colour[:3]]
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_luminance_of_known_colours():
    assert luminance([255, 255, 255]) == pytest.approx(1.0)
    assert luminance([0, 0, 0]) == 0.0
    assert 1.05 / (luminance([119, 119, 119]) + 0.05) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_both_schemes_apply_and_every_text_is_readable(browser, written, scheme, dark):
    with Visit(browser, written, viewport=DESK, color_scheme=scheme) as visit:
        visit.unfold()
        pairs = {tuple(map(tuple, json.loads(pair))): text for pair, text in visit.page.evaluate(COLOURS).items()}
        assert len(pairs) > 4  # ink, links, real data, stand-ins
        faint = {}
        for (ink, ground), text in pairs.items():
            lights = sorted((luminance(ink), luminance(ground)))
            assert (luminance(ink) > luminance(ground)) == dark, text
            if (lights[1] + 0.05) / (lights[0] + 0.05) < READABLE:
                faint[ink, ground] = text
        assert faint == {}


TOO_WIDE = """width => [...document.querySelectorAll("body *")].filter(node => node.getClientRects().length
    && node.getBoundingClientRect().right > width + 1 && !node.closest(".wide > *"))
    .map(node => node.tagName + " " + node.textContent.slice(0, 40))"""


def test_a_phone_scrolls_within_tables_and_nowhere_else(browser, written):
    with Visit(browser, written, viewport=PHONE, is_mobile=True, has_touch=True) as visit:
        visit.unfold()
        width = PHONE["width"]  # not innerWidth, which grows on a phone with what is too wide
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        assert visit.page.evaluate(TOO_WIDE, width) == []
        visit.page.evaluate(
            "document.body.append(Object.assign(document.createElement('hr'), {style: 'width: 500px'}))"
        )
        assert visit.page.evaluate(TOO_WIDE, width) == ["HR "]


CUT = """() => [...document.querySelectorAll("body *")].filter(node => node.getClientRects().length
    && node.getBoundingClientRect().right > innerWidth + 1).map(node => node.textContent.slice(0, 60))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_print_cuts_nothing_off_and_is_dark_on_light(browser, written, scheme):
    with Visit(browser, written, viewport=PAPER, color_scheme=scheme) as visit:
        visit.unfold()
        assert visit.page.evaluate(CUT) != []  # on a screen as narrow as paper the tables scroll
        visit.page.emulate_media(media="print", color_scheme=scheme)
        assert visit.page.evaluate(CUT) == []
        pairs = [json.loads(pair) for pair in visit.page.evaluate(COLOURS)]
        assert all(luminance(ink) < luminance(ground) for ink, ground in pairs)
