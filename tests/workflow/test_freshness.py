"""A run is repeated exactly when something that enters it has changed; decided by contents, told in words."""

import json
import os
import shutil

import nbformat
import pytest

import lib.papers
from lib.workflow import freshness
from lib.workflow.runs import Run

FRESH = "up to date"


def plan(workspace, *arguments, **variables):
    """What `--dry-run` says, by run."""
    ended = workspace.run_all("--dry-run", *arguments, **variables)
    assert (ended.code, ended.err) == (0, "")
    return dict(line.split(maxsplit=1) for line in ended.out.splitlines())


def repeats(why):
    return f"would run ({why})"


def edit(workspace, name, old, new):
    path = workspace.root / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_nothing_changed(finished):
    for path in sorted(finished.root.rglob("*")):
        if path.is_file():
            os.utime(path, (1, 1) if path.suffix == ".py" else None)
    finished.write("lib/unused.py", "x = 1\n")
    finished.write("lib/papers/tiny/SPEC.md", "What the paper computes.\n")
    finished.write("tests/test_new.py", "x = 1\n")
    edit(finished, "lib/workflow/display.py", '"""What', '"""All that')
    with (finished.root / "params/alpha/quick.yaml").open("a") as handle:
        handle.write("# a comment\nbehaviour:   succeeds\ndataset: stand_in\n")
    notebook = nbformat.read(finished.root / "notebooks/alpha.ipynb", 4)
    notebook.cells[2].outputs = [nbformat.v4.new_output("stream", text="stored")]
    notebook.cells[2].execution_count = 7
    notebook.metadata.kernelspec.name = "another-editor"
    notebook.metadata.widgets = {"state": {}}
    nbformat.write(notebook, finished.root / "notebooks/alpha.ipynb")
    assert plan(finished) == {"alpha/quick": FRESH, "beta/quick": FRESH}


@pytest.mark.parametrize(
    ("name", "old", "new", "alpha", "beta"),
    [
        ("params/alpha/quick.yaml", "number: 3", "number: 4", "params/alpha/quick.yaml", None),
        ("notebooks/beta.ipynb", "# A story", "# The same story", None, "notebooks/beta.ipynb"),
        ("notebooks/beta.ipynb", '"parameters"', '"arguments"', None, "notebooks/beta.ipynb"),
        ("lib/squares.py", "power(x, 2)", "power(x, 3)", "lib/squares.py", None),
        ("lib/powers.py", "x**n", "x ** (n + 0)", "lib/powers.py", None),
        ("lib/powers.csv", "base", "basis", "lib/powers.csv", None),
        ("lib/by_name.py", "one", "one as one", "lib/by_name.py", None),
        ("lib/by_name_too.py", "1", "1.0", "lib/by_name_too.py", None),
        ("lib/halves.py", "/ 2", "/ 2.0", None, "lib/halves.py"),
        ("lib/data/parsing.py", "int", "float", None, None),
        ("lib/data/stand_in.py", "random", "secrets", "lib/data/stand_in.py", "lib/data/stand_in.py"),
        ("lib/papers/tiny/__init__.py", "int", "float", "lib/papers/tiny/__init__.py", "lib/papers/tiny/__init__.py"),
    ],
)
def test_a_change_repeats_what_it_enters_and_nothing_else(finished, name, old, new, alpha, beta):
    edit(finished, name, old, new)
    found = plan(finished)
    for run, why in (("alpha/quick", alpha), ("beta/quick", beta)):
        if why is None:
            assert found[run] == FRESH
        else:
            assert found[run].startswith("would run (changed: ")
            assert why in found[run]


def test_a_file_that_a_parameter_names_is_part_of_it(finished):
    edit(finished, "params/alpha/quick.yaml", "number: 3", "number: 3\nvectors: words.txt")
    assert "words.txt: missing" in plan(finished)["alpha/quick"]
    finished.write("data/words.txt", "one 1 2\n")
    assert finished.runner("alpha/quick").code == 0
    assert plan(finished)["alpha/quick"] == FRESH
    finished.write("data/words.txt", "one 1 3\n")
    assert plan(finished)["alpha/quick"] == repeats("changed: data/words.txt")


def test_a_new_import_is_followed(finished):
    finished.write("lib/extra.py", "x = 1\n")
    finished.write("lib/halves.py", "from lib.extra import x\n\n\ndef half(y):\n    return y / 2 * x\n")
    assert plan(finished) == {"alpha/quick": FRESH, "beta/quick": repeats("changed: lib/halves.py")}


def test_a_library_file_that_is_gone_repeats_what_had_loaded_it(finished):
    (finished.root / "lib/by_name_too.py").unlink()
    assert plan(finished) == {"alpha/quick": repeats("removed: lib/by_name_too.py"), "beta/quick": FRESH}


@pytest.mark.parametrize("run", ["alpha/quick", "beta/quick"])
def test_results_are_part_of_it(finished, run):
    table = finished.path(run, "tables/result.csv")
    content, times = table.read_text(), (table.stat().st_atime_ns, table.stat().st_mtime_ns)
    others = dict.fromkeys(("alpha/quick", "beta/quick"), FRESH)
    plan(finished)

    table.unlink()
    assert plan(finished) == others | {run: repeats("output missing: tables/result.csv")}
    table.write_text(content)
    assert plan(finished) == others
    # Tampered with, and the modification time set back.
    table.write_text(content.replace("result", "RESULT"))
    os.utime(table, ns=times)
    assert plan(finished) == others | {run: repeats("output changed: tables/result.csv")}


def test_what_is_no_result_may_go(finished):
    finished.path("alpha/quick", "log.txt").unlink()
    finished.write("results/alpha/quick/members/record", "x")
    finished.write("results/alpha/quick/progress.json", "{}")
    assert plan(finished)["alpha/quick"] == FRESH


@pytest.mark.parametrize("text", ["", "{", "[]", '{"state": "failure"}'])
def test_a_damaged_status_is_no_success(finished, text):
    finished.path("alpha/quick", "status.json").write_text(text)
    assert plan(finished)["alpha/quick"] == repeats("never run")


def test_the_last_failure_is_told(finished):
    finished.path("alpha/quick", "status.json").unlink()
    finished.write("results/alpha/quick/failure.json", json.dumps({"state": "timeout", "message": "too long"}))
    assert plan(finished)["alpha/quick"] == repeats("last attempt: timeout")


def test_unusable_input_is_told(finished):
    edit(finished, "params/alpha/quick.yaml", "number", "numbr")
    assert "unknown key 'numbr'; did you mean 'number'?" in plan(finished)["alpha/quick"]
    (finished.root / "notebooks/beta.ipynb").write_text("{}")
    assert "not readable as a notebook" in plan(finished)["beta/quick"]


@pytest.fixture(scope="session")
def with_corpus_template(template, tmp_path_factory):
    workspace = template.copy(tmp_path_factory.mktemp("corpus") / "workspace")
    workspace.parameters("alpha/primes", number=5, dataset="primes")
    ran = workspace.runner("alpha/primes")
    assert ran.code == 0, ran
    return workspace


@pytest.fixture
def with_corpus(with_corpus_template, tmp_path):
    return with_corpus_template.copy(tmp_path / "workspace")


@pytest.mark.parametrize("name", ["data/primes/numbers.txt", "lib/data/parsing.py", "lib/data/reader.py"])
def test_a_corpus_and_its_reader_enter_its_own_run(with_corpus, name):
    only = ("--only", "alpha/primes")
    numbers = with_corpus.root / "data/primes/numbers.txt"
    os.utime(numbers, (1, 1))
    assert plan(with_corpus, *only) == {"alpha/primes": FRESH}
    with (with_corpus.root / name).open("a") as handle:
        handle.write("\n")
    assert plan(with_corpus, *only) == {"alpha/primes": repeats(f"changed: {name}")}


def test_a_corpus_may_move(with_corpus, tmp_path):
    shutil.move(with_corpus.root / "data", tmp_path / "corpora")
    only = ("--only", "alpha/primes")
    assert f"{with_corpus.root}/data/primes/numbers.txt: missing" in plan(with_corpus, *only)["alpha/primes"]
    assert plan(with_corpus, *only, REPRISE_DATA="../corpora") == {"alpha/primes": FRESH}


def test_a_process_reads_parameters_and_files_once(monkeypatch, tmp_path):
    """Of the workspace itself: for the reason to repeat a run, for its chunks, and for all that its kernel may load."""
    read = []
    digest, load = freshness.sha256_file, lib.papers.load
    monkeypatch.setattr(freshness, "sha256_file", lambda path: read.append(path) or digest(path))
    monkeypatch.setattr(lib.papers, "load", lambda path, **given: read.append(path) or load(path, **given))
    run, looking = Run("mosi_positive_colearning", "quick"), freshness.Freshness(4, tmp_path / "hashes.json")
    found = looking.inputs(run)
    assert found.parameters.cores == 4
    assert {"lib/papers/__init__.py", "lib/training/loop.py", "params/mosi_positive_colearning/quick.yaml"} <= set(
        found.files
    )
    assert looking.inputs(run).identity == found.identity
    assert set(looking.library()) > {name for name in found.files if name.startswith("lib/")}
    assert len(read) == len(set(read)) > 100


def test_library_that_is_no_python_is_told(finished):
    finished.write("lib/squares.py", "def square(\n")
    assert "lib: imports cannot be followed: Syntax error in " in plan(finished)["alpha/quick"]


def with_summary(workspace):
    """A notebook `a_summary` that reads the results of the others; its name comes first in the alphabet."""
    read = """
from pathlib import Path

result = ",".join(sorted(path.read_text().strip() for path in Path(results).parents[1].glob("*/*/tables/*.csv")))
"""
    workspace.write_notebook("a_summary", read)
    workspace.parameters("a_summary/quick", number=3)


@pytest.mark.slow
def test_what_reads_the_results_of_others_runs_after_them_and_again_when_they_change(workspace):
    with_summary(workspace)
    assert workspace.run_all().code == 0
    assert workspace.path("a_summary/quick", "tables/result.csv").read_text() == "result\nresult\n1.5,result\n9\n"
    assert plan(workspace) == dict.fromkeys(("a_summary/quick", "alpha/quick", "beta/quick"), FRESH)
    edit(workspace, "params/alpha/quick.yaml", "number: 3", "number: 4")
    found = plan(workspace)
    assert found["a_summary/quick"] == repeats("results that it reads would change")
    assert found["beta/quick"] == FRESH
    assert workspace.run_all().code == 0
    assert "16" in workspace.path("a_summary/quick", "tables/result.csv").read_text()
    (workspace.root / "results/beta/quick/contents.json").unlink()
    assert plan(workspace)["a_summary/quick"] == repeats("removed: results/beta/quick/contents.json")
