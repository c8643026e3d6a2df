"""The page over the committed results in a real browser: headless Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from lib.reporting.summary_page import write_page

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)")


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    """The page in a folder with the committed results and a damaged one."""
    results = tmp_path_factory.mktemp("a folder") / "results"
    runs = sorted(path.parent for path in (ROOT / "results").glob("*/*/contents.json"))
    for run in runs:
        shutil.copytree(run, results / run.parent.name / run.name, ignore=shutil.ignore_patterns("members", "*.ipynb"))
    damaged = results / "low_rank_fusion" / "quick" / "tables"
    next(damaged.glob("gain_*.csv")).unlink()
    return write_page(results, [(run.parent.name, run.name) for run in runs]).as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, address) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.complaints, page.asked = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(address)
        yield page


def test_it_opens_without_a_complaint_and_asks_for_nothing_but_itself(opened, address):
    opened.locator("details").evaluate_all("found => found.forEach(details => details.open = true)")
    opened.locator("img").last.scroll_into_view_if_needed()
    assert opened.complaints == []
    assert [url for url in opened.asked if not url.startswith("data:")] == [address]
    assert opened.locator("img").count() > 0
    assert opened.locator("img").evaluate_all("found => found.every(image => image.naturalWidth > 0)")


def test_the_damaged_folder_is_listed_and_has_no_section(opened):
    row = opened.locator("tr[data-run='low_rank_fusion/quick']")
    assert "damaged" in row.inner_text()
    assert opened.locator("#low_rank_fusion-quick").count() == 0
    assert opened.locator("#low_rank_fusion-mosi_words").count() == 1


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_a_heading_sorts_its_table_up_and_then_down(opened, by):
    head = opened.locator("#matrix th", has_text="minutes of training")
    column = head.evaluate("head => head.cellIndex")

    def act() -> list[float]:
        if by == "mouse":
            head.click()
        else:
            head.focus()
            opened.keyboard.press("Enter")
        cells = opened.locator(f"#matrix tbody tr td:nth-child({column + 1})").all_inner_texts()
        return [float(cell) for cell in cells if cell]

    rising, falling = act(), act()
    assert len(set(rising)) > 3
    assert (rising, falling) == (sorted(rising), sorted(rising, reverse=True))
    assert head.get_attribute("aria-sort") == "descending"


def test_a_link_to_a_folded_run_opens_it(opened):
    section = opened.locator("#mosi_positive_colearning-quick")
    assert section.get_attribute("open") is None
    opened.locator("#states a[href='#mosi_positive_colearning-quick']").click()
    section.locator("summary").first.wait_for()
    assert section.get_attribute("open") is not None


def test_it_follows_the_dark_scheme_and_text_stays_readable(opened):
    def contrast() -> float:
        """Of the page's text with its background (WCAG 2)."""
        return opened.evaluate(
            """() => {
                const light = colour => {
                    const parts = colour.match(/[0-9.]+/g).slice(0, 3).map(c => c / 255);
                    const linear = parts.map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
                    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
                };
                const style = getComputedStyle(document.body);
                const [a, b] = [light(style.color), light(style.backgroundColor)];
                return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            }"""
        )

    backgrounds = []
    for scheme in ("light", "dark"):
        opened.emulate_media(color_scheme=scheme)
        backgrounds.append(opened.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert contrast() > 7
    assert backgrounds[0] != backgrounds[1]


def test_on_a_phone_only_tables_scroll_sideways(opened):
    opened.set_viewport_size({"width": 390, "height": 844})
    opened.locator("details").evaluate_all("found => found.forEach(details => details.open = true)")
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390


def test_it_prints(opened):
    printed = opened.pdf(format="A4")
    assert printed.startswith(b"%PDF")
    assert len(printed) > 50_000
