import subprocess
import sys
from pathlib import Path

import pytest

from lib import data
from lib.data.arrays.mfn_h5 import POM
from lib.errors import InputError
from tests.data.samples import assert_same_corpus, mfn_corpus

REAL = ("mosi", "mmmo", "pom", "iemocap", "mosi_utterances", "mosi_words", "mosei_emotions", "iemocap_nine")
PICKLES = ("mosi_lmf", "pom_lmf", "iemocap_lmf")
STAND_INS = (
    "iemocap_like",
    "mosi_like",
    "mosi_lmf_like",
    "pom_lmf_like",
    "iemocap_lmf_like",
    "mosei_emotions_like",
    "iemocap_emotions_like",
    "iemocap_conversations_like",
    "meld_conversations_like",
    "iemocap_raw_like",
    "mosei_raw_like",
)


def test_options_reach_the_reader(tmp_path):
    POM.write(tmp_path, mfn_corpus(POM, ("audio", "video")))
    assert_same_corpus(data.load("pom", tmp_path, label="Vivid"), POM.read(tmp_path, label="Vivid"))
    assert data.load("pom", str(tmp_path)).label_names == ("Sentiment",)


def test_an_unknown_corpus():
    for function in (data.load, data.files, data.reader_module):
        with pytest.raises(InputError, match="unknown corpus 'mosei'; known: iemocap, iemocap_conversations, "):
            function("mosei")


def test_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRISE_DATA", "/somewhere")
    assert data.data_root(tmp_path) == tmp_path
    assert data.data_root() == data.data_root("") == Path("/somewhere")
    monkeypatch.setenv("REPRISE_DATA", "")
    assert data.data_root().name == "data"
    assert (data.data_root().parent / "pyproject.toml").exists()


@pytest.mark.parametrize("name", REAL)
def test_files_are_listed_whether_they_exist_or_not(name, tmp_path):
    listed = data.files(name, tmp_path)
    assert listed
    assert all(tmp_path in path.parents for path in listed)
    with pytest.raises(
        InputError, match=rf"missing \(and {len(listed) - 1} more\); see \./run_all\.sh data get {name}$"
    ):
        data.load(name, tmp_path)


@pytest.mark.parametrize("name", PICKLES)
def test_a_released_pickle_is_one_file_that_must_be_obtained(name, tmp_path):
    (path,) = data.files(name, tmp_path)
    assert path == tmp_path / "lmf" / f"{name.removesuffix('_lmf')}.pkl"
    with pytest.raises(InputError, match=rf"pkl: missing; see \./run_all\.sh data get {name}$"):
        data.load(name, tmp_path)


@pytest.mark.parametrize("name", STAND_INS)
def test_a_stand_in_has_no_files_and_says_what_it_is(name):
    assert data.files(name) == []
    source = data.load(name, samples=60).source
    assert source.label == f"{source.name}, SYNTHETIC stand-in"
    assert source.cluster == ("dialogue" if "conversations" in name else "utterance")


@pytest.mark.parametrize("name", REAL + PICKLES + STAND_INS)
def test_the_reader_module_is_a_file_of_the_library(name):
    module = data.reader_module(name)
    assert Path(data.__file__).parents[2].joinpath(*module.split(".")).with_suffix(".py").exists()


def test_readers_are_imported_only_when_asked_for():
    late = ("h5py", "lib.data.arrays.mfn_h5", "torch")
    code = f"import sys, lib.data; print([name for name in {late} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(data.__file__).parents[2]
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["ravdess", "mosi"])
def test_an_unknown_option_is_named_with_those_there_are(name, tmp_path):
    with pytest.raises(InputError, match=rf"{name}: no option 'colour'; options: \w+"):
        data.load(name, tmp_path, colour="red")
