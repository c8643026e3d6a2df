import json
import multiprocessing
import os

import numpy as np
import pytest

from lib.data.io.cache import cache_root, cached

SOURCES = {"a.csv": "12ab"}


def arrays():
    return {"x": np.arange(12.0, dtype=np.float32).reshape(3, 4), "ids": np.array(["a", "bc", "d"])}


def built_now(sources=SOURCES, version=1, options=None, reader="sample") -> bool:
    """Whether this request had to build, checking what it returns either way."""
    calls = []
    found = cached(reader, version, sources, options or {}, lambda: calls.append(1) or arrays())
    assert list(found) == ["x", "ids"]
    for name, expected in arrays().items():
        np.testing.assert_array_equal(found[name], expected, strict=True)
    return bool(calls)


def entry():
    (folder,) = (cache_root() / "sample").iterdir()
    return folder


def test_the_second_request_is_answered_from_disk_and_memory_mapped():
    assert built_now()
    assert not built_now()
    found = cached("sample", 1, SOURCES, {}, dict)
    assert isinstance(found["x"], np.memmap)
    assert not found["x"].flags.writeable


@pytest.mark.parametrize(
    "changed",
    [
        {"sources": {"a.csv": "12ac"}},
        {"sources": {"b.csv": "12ab"}},
        {"version": 2},
        {"options": {"steps": 3}},
        {"reader": "other"},
    ],
)
def test_whatever_decides_the_content_is_part_of_the_key(changed):
    assert built_now()
    assert built_now(**changed)
    assert not built_now(**changed)
    assert not built_now()


def test_arrays_are_listed_with_size_and_hash():
    built_now()
    listed = json.loads((entry() / "arrays.json").read_text())
    assert listed["reader"] == "sample"
    x, ids = listed["arrays"]
    assert (x["name"], x["shape"], x["dtype"]) == ("x", [3, 4], "float32")
    assert x["bytes"] == (entry() / "x.npy").stat().st_size
    assert (ids["name"], ids["shape"], ids["dtype"]) == ("ids", [3], "<U2")
    assert {path.name for path in entry().iterdir()} == {"arrays.json", "x.npy", "ids.npy"}


def damage_one_bit(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    times = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # as a failing disk would


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("x.npy", damage_one_bit),
        ("x.npy", lambda path: path.write_bytes(path.read_bytes()[:-4])),
        ("x.npy", lambda path: path.write_bytes(b"")),
        ("ids.npy", lambda path: path.unlink()),
        ("arrays.json", lambda path: path.write_text(path.read_text()[:-20])),
        ("arrays.json", lambda path: path.write_text("[]")),
        ("arrays.json", lambda path: path.unlink()),
    ],
)
def test_a_damaged_entry_is_built_anew(name, damage):
    assert built_now()
    damage(entry() / name)
    assert built_now()
    assert not built_now()
    assert not list(cache_root().rglob(".*"))


def test_a_failed_build_leaves_nothing():
    with pytest.raises(ZeroDivisionError):
        cached("sample", 1, SOURCES, {}, lambda: 1 / 0)
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        cached("sample", 1, SOURCES, {}, lambda: arrays() | {"bad": np.array([{}], dtype=object)})
    assert not any(path.is_file() for path in cache_root().rglob("*"))
    assert built_now()


def test_a_cache_that_cannot_be_written_costs_a_warning(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="data cache cannot be written"):
        assert built_now()


def _race(barrier, queue):
    barrier.wait(timeout=60)
    for version in range(8):
        built_now(version=version)
    queue.put(True)


def test_processes_that_build_at_once_agree():
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(3), context.Queue()
    workers = [context.Process(target=_race, args=(barrier, queue)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=120)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert not list(cache_root().rglob(".*"))
    assert not built_now(version=7)


def test_the_default_folder_is_in_the_workspace(monkeypatch):
    monkeypatch.delenv("REPRISE_CACHE")
    assert cache_root().parts[-2:] == (".reprise", "cache")
    assert (cache_root().parents[1] / "pyproject.toml").exists()
