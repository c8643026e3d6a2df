"""A run cut into chunks: the tables of the single process, nothing trained twice, one device a job."""

import json
import shutil

import pytest

from tests.faults.tiny import MEMBERS, RUN, TINY, fingerprint, records
from tests.workflow.workspace import Workspace

pytestmark = pytest.mark.slow


def trained(workspace: Workspace, count: int) -> list[int]:
    folder = workspace.path(RUN, "members/chunks")
    return [json.loads((folder / f"{i}-of-{count}.json").read_text())["trained"] for i in range(1, count + 1)]


def test_chunks_gather_to_the_same_tables_each_on_a_device_of_its_own(tiny, expected):
    ended = tiny.run_all("--only", RUN, "--chunks", "2", "--cores", "2", "--devices", "0,1")
    assert (ended.code, ended.state(RUN)) == (0, "ran"), ended
    assert trained(tiny, 2) == [MEMBERS // 2, MEMBERS // 2]
    assert fingerprint(tiny) == expected
    marks = [tiny.record(RUN, f"members/chunks/{index}-of-2.json") for index in (1, 2)]
    assert {mark["devices"] for mark in marks} == {"0", "1"}
    assert "trained" in ended.out


def test_only_what_is_new_is_trained_whatever_the_number_of_chunks(undisturbed, expected):
    """Finished by one process, then asked for in chunks, then with one more seed, then without it again."""
    before = {path.name: path.stat().st_mtime_ns for path in records(undisturbed)}
    undisturbed.path(RUN, "status.json").unlink()
    ended = undisturbed.run_all("--only", RUN, "--chunks", "3", "--cores", "1")
    assert (ended.code, trained(undisturbed, 3)) == (0, [0, 0, 0])
    assert fingerprint(undisturbed) == expected

    undisturbed.parameters(RUN, **TINY | {"seeds": [0, 1, 2]})
    ended = undisturbed.run_all("--only", RUN, "--chunks", "3", "--cores", "1")
    assert (ended.code, sum(trained(undisturbed, 3))) == (0, MEMBERS // 2)
    assert f"chunks    {RUN}: 3, of which 0 are done" in ended.out
    after = {path.name: path.stat().st_mtime_ns for path in records(undisturbed)}
    assert {name: after[name] for name in before} == before


def test_a_chunk_that_fails_is_told_and_done_ones_are_kept(tiny, expected):
    """The second of two chunks finds no place for its records."""
    runner = tiny.root / "lib/workflow/runner.py"
    sound = runner.read_text()
    broken = sound.replace("facts = train(", "assert job.index == 1, 'no GPU'\n            facts = train(")
    assert broken != sound
    runner.write_text(broken)
    ended = tiny.run_all("--only", RUN, "--chunks", "2", "--cores", "1")
    assert (ended.code, ended.state(RUN)) == (1, "FAILED")
    assert "chunk_failed: chunk 2 of 2: crashed: AssertionError: no GPU" in ended.out
    assert not tiny.path(RUN, "status.json").exists()

    runner.write_text(sound)
    ended = tiny.run_all("--only", RUN, "--chunks", "2", "--cores", "1")
    assert f"chunks    {RUN}: 2, of which 1 are done" in ended.out
    assert (ended.code, ended.state(RUN)) == (0, "ran")
    assert fingerprint(tiny) == expected


def test_unusable_input_is_the_same_line_with_chunks(tiny):
    tiny.parameters(RUN, **TINY | {"dataset": "iemocap", "samples": 0})
    shutil.rmtree(tiny.root / "data", ignore_errors=True)
    ended = tiny.run_all("--only", RUN, "--chunks", "2", "--cores", "1")
    assert (ended.code, ended.state(RUN)) == (2, "FAILED")
    assert "\n  input_error: data/iemocap" in ended.out.replace(f"{tiny.root}/", "")
