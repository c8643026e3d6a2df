"""The manifest: complete, comparable between runs, and free of what identifies a machine."""

import getpass
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lib.data.corpus import Source
from lib.files import sha256_file
from lib.reporting.manifest import LISTED, device_name, git_state, manifest, write_manifest

SOURCE = Source(
    "corpus_b",
    synthetic=True,
    files={"X_train.h5": "ab12"},
    licence="MIT",
    split_rule="as shipped",
    warnings=("labels leak",),
    ceilings={"text": {"acc": 0.6}},
)
FACTS = {
    "params": {"rates": (0.0, 0.8), "data_root": "/srv/somebody/corpora", "hidden": 128},
    "sources": [SOURCE],
    "seeds": range(3),
    "engine": "one after another",
    "modalities": ("text", "audio"),
    "device": "cpu",
    "selected_on": {"epoch": "valid", "hyper-parameters": "none tuned"},
    "durations": {"train": 1.23456},
}


def test_written_file_holds_what_was_given(tmp_path):
    write_manifest(tmp_path, **FACTS)
    found = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert found["run"] == {
        "params": {"rates": [0.0, 0.8], "data_root": "corpora", "hidden": 128},
        "seeds": [0, 1, 2],
        "engine": "one after another",
        "modalities": ["text", "audio"],
        "selected_on": {"epoch": "valid", "hyper-parameters": "none tuned"},
    }
    assert found["data"][0]["label"] == "corpus_b, SYNTHETIC stand-in"
    assert found["data"][0]["files"] == {"X_train.h5": "ab12"}
    assert found["data"][0]["warnings"] == ["labels leak"]
    assert found["environment"]["packages"]["torch"] == torch.__version__
    assert found["environment"]["packages"]["numpy"] == np.__version__
    assert found["environment"]["threads"] == torch.get_num_threads()
    assert found["environment"]["device"] == "cpu"
    assert found["environment"]["arithmetic"]["capability"] == torch.backends.cpu.get_cpu_capability()
    assert found["volatile"]["durations"] == {"train": 1.235}


def test_a_folder_of_many_files_has_one_hash_that_anybody_can_compute(tmp_path):
    (tmp_path / "voices/Actor_01").mkdir(parents=True)
    hashes = {}
    for number in range(LISTED + 1):
        path = tmp_path / f"voices/Actor_01/{number}.wav"
        path.write_bytes(b"%d" % number)
        hashes[path.relative_to(tmp_path).as_posix()] = sha256_file(path)
    some = {"voices/table.csv": "ab12", "b.txt": "cd34"}
    source = replace(SOURCE, files=hashes | some)
    command = "LC_ALL=C sha256sum * | sha256sum"
    told = subprocess.run(["sh", "-c", command], cwd=tmp_path / "voices/Actor_01", capture_output=True, text=True)
    folder = {f"voices/Actor_01/* ({LISTED + 1} files)": told.stdout.split()[0]}
    assert manifest(**{**FACTS, "sources": [source]})["data"][0]["files"] == folder | some
    one_less = dict([*hashes.items()][1:])
    source = replace(SOURCE, files=one_less)
    assert manifest(**{**FACTS, "sources": [source]})["data"][0]["files"] == one_less


def test_only_the_volatile_part_differs_between_two_runs():
    first, second = manifest(**FACTS), manifest(**{**FACTS, "durations": {"train": 9.0}})
    assert first.pop("volatile") != second.pop("volatile")
    assert first == second


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("/home/somebody/data", "data"),
        ("/home/somebody/data/", "data"),
        ("cannot read '/home/somebody/X.h5': cut short", "cannot read 'X.h5': cut short"),
        ("C:\\Users\\somebody\\X.h5", "X.h5"),
        ("~/corpora/mosi", "mosi"),
        (Path("/srv/somebody/runs"), "runs"),
        (str(Path.home()), "~"),
        ("results/mosi/quick and/or https://example.org/a/b", "results/mosi/quick and/or https://example.org/a/b"),
        ("1 / 2", "1 / 2"),
    ],
)
def test_absolute_paths_are_cut(text, kept):
    assert manifest(**{**FACTS, "params": {"x": [{"y": text}]}})["run"]["params"] == {"x": [{"y": kept}]}


def test_no_trace_of_the_machine(tmp_path):
    params = {"results": str(tmp_path), "root": Path.home() / "data", "here": str(Path.cwd())}
    text = json.dumps(manifest(**{**FACTS, "params": params}))
    for trace in (str(tmp_path.parent), str(Path.home()), str(Path.cwd().parent) + "/"):
        assert trace not in text
    assert f"/{getpass.getuser()}/" not in text


def git(folder, *arguments):
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_no_home_is_no_fault(monkeypatch):
    def unknown(uid):
        raise KeyError(uid)

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    assert json.loads(json.dumps(manifest(**FACTS)))["run"]["seeds"] == list(FACTS["seeds"])


def test_commit_and_dirty_flag(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "code.py").write_text("x = 1\n")
    assert git_state(tmp_path) == {"commit": None, "dirty": None}  # no commit yet
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first", "--no-verify")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert git_state(tmp_path) == {"commit": commit, "dirty": False}
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "table.csv").write_text("1\n")
    assert git_state(tmp_path)["dirty"] is False
    (tmp_path / "code.py").write_text("x = 2\n")
    assert git_state(tmp_path) == {"commit": commit, "dirty": True}


def test_a_checkout_of_another_user_gets_a_note(tmp_path, monkeypatch):
    """git refuses it; without the note a manifest would lack its commit for no reason that anybody could see."""
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "-m", "first", "--no-verify", "--allow-empty")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    state = git_state(tmp_path)
    assert (state["commit"], state["dirty"]) == (None, None)
    assert "belongs to another user" in state["note"]
    assert "safe.directory" in state["note"]
    assert str(tmp_path) not in state["note"]


def test_without_git(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state(tmp_path) == {"commit": None, "dirty": None}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(Path(__file__).parent) == {"commit": None, "dirty": None}


def test_processor_is_named(monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "processor\t: 0\nmodel name\t: Abacus 3000\nflags: x\n")
    assert manifest(**FACTS)["environment"]["processor"] == "Abacus 3000"


def test_accelerator_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"Accelerator {device.index}")
    assert device_name("cuda:1") == "Accelerator 1"
    assert device_name("cpu") == "cpu"


@pytest.mark.parametrize(("variable", "asked"), [("ATEN_CPU_CAPABILITY", "default"), ("ATEN_CPU_CAPABILITY", "avx2")])
def test_another_instruction_set_is_named(variable, asked):
    """A last digit that differs between two machines must have a cause that `compare` can name."""
    code = "from lib.reporting.manifest import arithmetic; import json; print(json.dumps(arithmetic()))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, variable: asked}, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert found["capability"].lower() == asked
    assert any("blas" in library for library in found["libraries"])
    assert found["torch"]
