"""What the README leads to and names is there."""

import re

from lib.papers import schemas
from tests.docs.clone import ROOT

PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
TOP = ("benchmarks", "docs", "lib", "notebooks", "params", "profiles", "tests")


def test_links_and_paths_lead_somewhere():
    links = {link for link in re.findall(r"\]\(([^)]+)\)", PAGE) if "://" not in link}
    paths = {path for path in re.findall(r"`([\w./<>-]+)`", PAGE) if path.split("/")[0] in TOP and "/" in path}
    assert len(links) > 15 and len(paths) > 8
    globs = [re.sub(r"<\w+>", "*", name) for name in links | paths]
    assert [name for name in globs if not any(ROOT.glob(name))] == []


def test_every_run_that_is_called_and_every_notebook_exists():
    for wanted in re.findall(r"--only ([\w/]+)", PAGE):
        notebook, _, run = wanted.partition("/")
        assert (ROOT / "params" / notebook / f"{run or 'quick'}.yaml").is_file() or notebook == "explore"
    assert {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")} == set(schemas())
    assert all(f"notebooks/{notebook}.ipynb" in PAGE for notebook in schemas())


def test_every_module_that_is_called_exists():
    called = re.findall(r"python -m ([\w.]+)", PAGE)
    assert called and all((ROOT / f"{module.replace('.', '/')}.py").is_file() for module in called)
