"""`run_all.sh compare`: what it prints, and what it refuses."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lib import run_table as runs
from lib.errors import InputError
from lib.files import sha256_file, write_json
from lib.reporting.result_folders import write_contents
from lib.workflow import cli
from lib.workflow.compare_command import compare
from lib.workflow.runs import ROOT
from lib.workflow.usage import parse
from tests.reporting.tables_of_runs import runs_of

SOURCE = {"label": "x, SYNTHETIC stand-in", "synthetic": True, "split_rule": "random", "files": {}, "warnings": []}
PLAIN = {"text only": [0.5, 0.6, 0.7], "rate 0.8": [0.5, 0.6, 0.7]}
CHANGED = {"text only": [0.5, 0.6, 0.7], "rate 0.8": [0.6, 0.71, 0.79]}


def finished(folder: Path, scores=PLAIN, epochs: int = 6) -> Path:
    """A result folder as a run leaves it."""
    table = runs_of(scores)
    runs.save(table, folder)
    (folder / "tables").mkdir()
    means = table.groupby("variant")["value"].mean().rename("value").reset_index()
    means.to_csv(folder / "tables" / "means.csv", index=False)
    manifest = {
        "run": {"params": {"epochs": epochs}, "seeds": [0, 1, 2]},
        "data": [SOURCE],
        "code": {"commit": None, "dirty": None},
        "environment": {"packages": {"torch": "2.13.0"}},
        "volatile": {"written": "2026-01-01T00:00:00+00:00"},
    }
    write_json(folder / "manifest.json", manifest)
    write_contents(folder)
    outputs = {name: sha256_file(folder / name) for name in ("manifest.json", "runs.parquet", "tables/means.csv")}
    write_json(
        folder / "status.json", {"state": "success", "inputs": {"lib/a.py": str(epochs) * 64}, "outputs": outputs}
    )
    return folder


@pytest.fixture
def pair(tmp_path) -> tuple[Path, Path]:
    return finished(tmp_path / "a" / "quick"), finished(tmp_path / "b" / "quick", CHANGED, epochs=7)


def said(capsys, *arguments) -> str:
    assert cli.main(["compare", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_scores_verdicts_rule_and_origin_are_printed(pair, capsys):
    text = said(capsys, *pair)
    assert "SCORES BY SEED: 1 beyond noise, 1 equal" in text
    (line,) = [line for line in text.splitlines() if line.startswith("rate 0.8")]
    assert line.split()[2:] == ["test", "acc", "0.6", "0.7", "0.1", "0.0751586", "0.124841", "3", "beyond", "noise"]
    assert "means  1 of 2 numbers changed" in text
    assert "run.params.epochs  6             7" in text
    assert "file lib/a.py" in text
    assert "beyond noise: the 95 % t-interval" in text
    assert "about one in" in text


def test_a_folder_and_itself_have_no_difference(pair, capsys):
    text = said(capsys, pair[0], pair[0])
    assert "SCORES BY SEED: 2 equal\nno score differs" in text
    assert "TABLES\nall are equal" in text
    assert text.endswith("ORIGIN: WHAT DIFFERS\nnothing, but times\n")


def test_as_kept_in_the_repository_tables_are_compared(pair, capsys):
    for folder in pair:
        for name in ("runs.parquet", "runs.csv", "status.json"):
            (folder / name).unlink()
    text = said(capsys, *pair)
    assert "SCORES BY SEED: not compared" in text
    assert "means  rate 0.8: value  0.6  0.7  0.1         –    –     1      noise unknown" in text
    assert "file lib/a.py" not in text


def test_a_run_table_of_another_run_does_not_count(pair, capsys):
    """Tables checked out from the repository over a later run: the run table beside them is not theirs."""
    record = json.loads((pair[1] / "status.json").read_text())
    record["outputs"]["manifest.json"] = "0" * 64
    write_json(pair[1] / "status.json", record)
    assert "SCORES BY SEED: not compared" in said(capsys, *pair)


def test_long_lists_are_cut_unless_all_is_asked_for(tmp_path, capsys):
    many = {f"m{i}": [0.1, 0.2, 0.3] for i in range(60)}
    more = {name: [value + 0.5 for value in values] for name, values in many.items()}
    a, b = finished(tmp_path / "a" / "quick", many), finished(tmp_path / "b" / "quick", more)
    assert "... and 20 more (--all)" in said(capsys, a, b)
    text = said(capsys, a, b, "--all")
    assert "more (--all)" not in text
    assert sum(line.startswith("m") and line.endswith("beyond noise") for line in text.splitlines()) == 60


def test_a_reader_may_stop_reading(pair):
    command = f'"{sys.executable}" -P -m lib.workflow.cli compare "$1" "$2" | true'
    variables = os.environ | {"PYTHONPATH": str(ROOT)}
    shell = ["bash", "-o", "pipefail", "-c", command, "-", *map(str, pair)]
    done = subprocess.run(shell, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def tampered(folder: Path) -> None:
    (folder / "tables" / "means.csv").write_text("variant,value\nm,0.9\n")


def half_written(folder: Path) -> None:
    (folder / "contents.json").unlink()


def unlisted(folder: Path) -> None:
    (folder / "tables" / "extra.csv").write_text("x\n1\n")


def altered_scores(folder: Path) -> None:
    runs.save(runs_of(PLAIN), folder)


def empty_table(folder: Path) -> None:
    (folder / "tables" / "means.csv").write_text("")
    write_contents(folder)


def no_label(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["data"][0]["label"]
    write_json(folder / "manifest.json", manifest)
    write_contents(folder)


def no_json(folder: Path) -> None:
    (folder / "manifest.json").write_text("{")
    write_contents(folder)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (tampered, "damaged: changed since the run: tables/means.csv; run it again"),
        (half_written, "damaged: no contents.json: the run has not ended"),
        (unlisted, "damaged: not written by the run: tables/extra.csv"),
        (altered_scores, "damaged: changed since the run: runs.parquet"),
        (empty_table, "not readable as results: EmptyDataError"),
        (no_label, "not readable as results: KeyError('label')"),
        (no_json, "damaged: "),
        (shutil.rmtree, "there is no such folder"),
    ],
)
def test_damaged_folders_are_refused_with_the_reason_in_one_line(pair, capsys, harm, reason):
    harm(pair[1])
    assert cli.main(["compare", *map(str, pair)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert f"run_all.sh: {pair[1]}: {reason}" in err


def test_runs_without_a_number_in_common_are_refused(tmp_path):
    a = finished(tmp_path / "a" / "quick", {"m": [0.1, 0.2]})
    b = finished(tmp_path / "b" / "quick", {"other": [0.1, 0.2]})
    with pytest.raises(InputError, match="no number in common"):
        compare(parse(["compare", str(a), str(b)]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a"], "compare takes two result folders, got 1"),
        (["a", "b", "c"], "got 3"),
        (["a", "b", "--al"], "compare: unrecognized arguments: --al"),
    ],
)
def test_usage(arguments, message):
    with pytest.raises(InputError, match=message):
        parse(["compare", *arguments])


def test_usage_accepts_two_folders_and_all():
    given = parse(["compare", "a", "b"])
    assert (given.folders, given.everything) == (["a", "b"], False)
    given = parse(["compare", "--all", "a", "b"])
    assert (given.folders, given.everything) == (["a", "b"], True)


def test_notebook_and_run_name_a_folder_of_the_workspace(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("lib.workflow.compare_command.ROOT", tmp_path)
    finished(tmp_path / "results" / "nb" / "quick")
    finished(tmp_path / "results" / "nb" / "other", CHANGED)
    text = said(capsys, "nb/quick", "nb/other")
    assert "A  nb/quick: x, SYNTHETIC stand-in; stand-in; written 2026-01-01" in text
