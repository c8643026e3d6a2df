"""`run_all.sh data records`: listed by folder, removed on request, never beside a run in progress."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lib.training import wanted
from lib.workflow import leftovers, runs
from lib.workflow.process import locked
from tests.workflow.machines import data_verb as main

NOW = datetime.now(UTC)
ASKED, GONE = "a-seed0-0123456789ab", "b-seed0-ba9876543210"


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """Two finished runs with one record each that nobody asks for; the second has lost its parameters."""
    for module in (leftovers, runs):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    for run in ("alpha/quick", "beta/old"):
        folder = tmp_path / "results" / run / "members"
        folder.mkdir(parents=True)
        for name in (ASKED, GONE):
            for ending in ("safetensors", "weights.safetensors"):
                (folder / f"{name}.{ending}").write_bytes(bytes(500))
        for path in folder.iterdir():
            os.utime(path, ((NOW - timedelta(days=3)).timestamp(),) * 2)
        wanted.note(folder, [ASKED])
        status = {"inputs": {}, "started": (NOW - timedelta(days=1)).isoformat(timespec="seconds")}
        folder.with_name("status.json").write_text(json.dumps(status))
    (tmp_path / "params/alpha").mkdir(parents=True)
    (tmp_path / "params/alpha/quick.yaml").write_text("number: 1\n")
    return tmp_path


def listed(capsys, *arguments: str) -> list[str]:
    assert main(["records", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def test_records_are_listed_and_pruned_on_request(root, capsys):
    lines = [
        "results/alpha/quick: 1 record not asked for by the present parameters, 1.00kB",
        "results/beta/old: 2 records not asked for by anybody, as params/beta/old.yaml is gone, 2.00kB",
    ]
    assert listed(capsys) == lines
    assert len(list(root.glob("results/*/*/members/*.safetensors"))) == 8
    assert listed(capsys, "--prune") == [f"{line}, removed" for line in lines]
    kept = sorted(path.name for path in root.glob("results/*/*/members/*.safetensors"))
    assert kept == [f"{ASKED}.safetensors", f"{ASKED}.weights.safetensors"]
    assert listed(capsys) == ["no records but those that the present settings ask for"]


def test_a_run_in_progress_is_left_alone(root, capsys):
    with locked(root / ".reprise/runs/alpha.quick.lock"):
        assert listed(capsys, "--prune")[0] == "results/alpha/quick: in progress, left alone"
    assert len(list(root.glob("results/alpha/quick/members/*.safetensors"))) == 4


@pytest.mark.parametrize("lost", ["status.json", f"members/{wanted.NOTE}"])
def test_of_a_run_that_did_not_end_or_noted_nothing_nothing_is_known(root, capsys, lost):
    (root / "results/alpha/quick" / lost).unlink()
    assert [line.split(":")[0] for line in listed(capsys, "--prune")] == ["results/beta/old"]
    assert len(list(root.glob("results/alpha/quick/members/*.safetensors"))) == 4
