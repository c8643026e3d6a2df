"""Records that no run asks for any more."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lib.files import write_json
from lib.training import wanted
from lib.training.sweep import sweep
from tests.training.small import corpus, member

NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=1)


def age(folder: Path, days: int = 2) -> None:
    """As if everything here had been written and asked for days ago."""
    then = NOW - timedelta(days=days)
    for path in folder.iterdir():
        os.utime(path, (then.timestamp(), then.timestamp()))
    noted = json.loads((folder / wanted.NOTE).read_text())
    write_json(folder / wanted.NOTE, dict.fromkeys(noted, then.isoformat(timespec="seconds")))


def test_what_a_changed_grid_leaves_behind_is_found_with_its_weights_and_nothing_else_is(tmp_path):
    """Two of four records are asked for again; a third setting is new."""
    before = [member("a", learning_rate=0.01), member("b", learning_rate=0.01)]
    sweep(before, corpus(), tmp_path)
    age(tmp_path)
    sweep([member("a", learning_rate=0.01), member("b", learning_rate=0.02)], corpus(), tmp_path)
    (tmp_path / "chunks").mkdir()
    (tmp_path / "processes").write_text("1 2")
    found = wanted.leftovers(tmp_path, NOW - timedelta(days=1))
    ((name, paths),) = found.items()
    assert name.startswith("b-seed0-")
    assert [path.name for path in paths] == [f"{name}.safetensors", f"{name}.weights.safetensors"]
    others = {path.name for path in tmp_path.iterdir()} - {path.name for path in paths}
    wanted.forget(tmp_path, found)
    assert {path.name for path in tmp_path.iterdir()} == others
    assert not wanted.leftovers(tmp_path, NOW - timedelta(days=1))
    assert len(wanted.leftovers(tmp_path, LATER)) == 2


def test_a_record_younger_than_the_last_run_may_belong_to_the_next(tmp_path):
    name = "c-seed0-0123456789ab"
    path = tmp_path / f"{name}.checkpoint"
    path.write_bytes(b"x")
    assert not wanted.leftovers(tmp_path, NOW - timedelta(minutes=1))
    assert wanted.leftovers(tmp_path, LATER) == {name: [path]}
    wanted.note(tmp_path, [name])
    assert not wanted.leftovers(tmp_path, NOW - timedelta(minutes=1))


def test_a_damaged_note_is_none(tmp_path):
    (tmp_path / wanted.NOTE).write_text('{"a-seed0-0123456789ab": 5}')
    wanted.note(tmp_path, ["b"])
    assert '"a-' not in (tmp_path / wanted.NOTE).read_text()
