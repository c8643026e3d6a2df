"""The facts of the catalogue, and what it says about files on disk."""

import csv
import hashlib
import os
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from lib import data
from lib.data.catalogue import CATALOGUE, TABLE, PublicCorpus, PublicFile, RestrictedCorpus, with_table
from lib.data.corpora import CORPORA
from lib.data.corpus import SPLITS
from lib.data.io.source_files import STAND_IN_NOTE
from lib.data.io.vector_files import RELEASED
from lib.data.recordings.handcrafted_batches import feature_files
from tests.data.flaky_server import noise, public_corpus

PUBLIC = [corpus for corpus in CATALOGUE.values() if isinstance(corpus, PublicCorpus)]
FILES = {file.path: file for corpus in PUBLIC for file in corpus.files}
IEMOCAP = CATALOGUE["iemocap"]
RENAMED = {f"mosei/unimse_{split}.tsv": f"{split}.tsv" for split in SPLITS}
"""Files whose name in their repository says too little beside the others in the folder."""


def test_the_known_corpora_and_their_number_of_files():
    assert {corpus.name: len(corpus.files) for corpus in PUBLIC} == {
        "mosi": 6,
        "mosi_utterances": 12,
        "mosi_words": 11,
        "mmmo": 12,
        "pom": 9,
        "meld": 3,
        "mosei_text": 8,
        "ravdess": 1441,
        "ravdess_frames": 600,
        "cremad_sample": 12,
        "meld_conversations": 1,
        "meld_conversations_mmgcn": 1,
    }
    restricted = [name for name, corpus in CATALOGUE.items() if isinstance(corpus, RestrictedCorpus)]
    lmf, conversations = (
        ["mosi_lmf", "pom_lmf", "iemocap_lmf"],
        ["iemocap_conversations", "iemocap_conversations_mmgcn"],
    )
    emotions = ["mosei_emotions", "iemocap_emotions", "iemocap_nine"]
    end_to_end = [f"{kind}_{form}" for kind in ("iemocap", "mosei") for form in ("raw", "handcrafted")]
    assert restricted == ["iemocap", *lmf, *emotions, *conversations, *end_to_end]


@pytest.mark.parametrize("name", ["iemocap_handcrafted", "mosei_handcrafted"])
def test_hand_crafted_features_list_what_their_reader_reads(name, tmp_path):
    (layout,) = CATALOGUE[name].layouts
    kind = name.removesuffix("_handcrafted")
    features = [path for split in SPLITS for path in feature_files(kind, tmp_path / "mme2e", split)]
    (labelled,) = CATALOGUE[f"{kind}_raw"].layouts
    assert sorted(tmp_path / path for path in layout) == sorted([*(tmp_path / path for path in labelled), *features])


@pytest.mark.parametrize("name", ["mosei_emotions", "iemocap_emotions", "iemocap_nine"])
def test_an_emotion_release_lists_what_its_reader_reads_and_the_word_vectors(name, tmp_path):
    (layout,) = CATALOGUE[name].layouts
    assert [tmp_path / path for path in layout] == [*data.files(name, tmp_path), tmp_path / RELEASED]
    assert all(f"{tmp_path}/{path}" in CATALOGUE[name].instructions(tmp_path) for path in layout)


def test_the_readme_lists_the_corpora():
    page = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    assert "\n| `mosi` | CMU-MOSI, words aligned" in page
    assert page == with_table(page), "run `python -m lib.data.catalogue`"


def test_every_corpus_can_be_obtained_or_is_a_stand_in():
    for corpus in CORPORA.values():
        obtained = (corpus.files_of or corpus.name) in CATALOGUE
        assert obtained != bool(corpus.stands_for)
        assert not corpus.stands_for or corpus.stands_for in CORPORA


def test_a_file_stands_in_the_table_once():
    with TABLE.open(encoding="utf-8", newline="") as handle:
        times = Counter(row["path"] for row in csv.DictReader(handle))
    assert set(times.values()) == {1}


@pytest.mark.parametrize("corpus", PUBLIC, ids=lambda corpus: corpus.name)
def test_every_file_is_pinned(corpus: PublicCorpus):
    for file in corpus.files:
        check_pin(file)


def check_pin(file: PublicFile) -> None:
    assert re.fullmatch(r"[0-9a-f]{40}", file.commit)
    assert re.fullmatch(r"[0-9a-f]{40}", file.git_blob_sha1)
    assert file.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", file.sha256)
    assert (file.size is None) == (file.sha256 is None)  # both are known where a copy was measured
    assert re.fullmatch(r"[\w-]+/[\w-]+", file.repository)
    assert file.licence
    path = PurePosixPath(file.path)
    assert not path.is_absolute()
    assert ".." not in path.parts
    assert RENAMED.get(file.path, path.name) == PurePosixPath(file.repository_path).name


def test_a_smaller_copy_serves_where_the_recording_is_not_there(tmp_path):
    content, other = noise(100), noise(101)
    (file,) = public_corpus({"d/a.wav": content}).files
    corpus = PublicCorpus("x", "x", (replace(file, flac_sha256=hashlib.sha256(other).hexdigest()),))
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a.flac").write_bytes(other)
    assert (corpus.survey(tmp_path).state, corpus.survey(tmp_path).sound) == ("present", {"d/a.wav": 101})
    assert PublicCorpus("x", "x", (file,)).survey(tmp_path).state == "missing"
    (tmp_path / "d/a.flac").write_bytes(content)
    assert corpus.survey(tmp_path).damaged["d/a.wav"].startswith("as .flac has sha256 ")
    (tmp_path / "d/a.wav").write_bytes(content)
    assert corpus.survey(tmp_path).sound == {"d/a.wav": 100}


def test_the_address_of_a_file():
    assert FILES["mfn/data/X_train.h5"].url("https://raw.githubusercontent.com") == (
        "https://raw.githubusercontent.com/pliang279/MFN/b0453fb6e21b581c796246a0c32a6551f2028c1b/data/X_train.h5"
    )
    spaced = replace(FILES["mfn/data/X_train.h5"], repository_path="data split/a#b.txt")
    assert spaced.url("http://mirror").endswith("/data%20split/a%23b.txt")


def test_utterance_labels_come_from_the_word_level_corpus():
    shared = {file.path for file in CATALOGUE["mosi"].files} & {
        file.path for file in CATALOGUE["mosi_utterances"].files
    }
    assert shared == {f"mfn/data/y_{split}.h5" for split in ("train", "valid", "test")}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (noise(1000), ""),
        (noise(999), "holds 999 bytes, expected 1000"),
        (bytes(1000), "has git blob id "),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a git-lfs pointer, not the file itself"),
    ],
)
def test_faults_of_a_copy(tmp_path, content, fault):
    (file,) = public_corpus({"x.bin": noise(1000)}).files
    (tmp_path / "x.bin").write_bytes(content)
    found = file.fault(tmp_path / "x.bin")
    assert found.startswith(fault)
    assert bool(found) == bool(fault)


def test_sha256_is_checked_beside_the_blob_id(tmp_path):
    (file,) = public_corpus({"x.bin": b"abc"}).files
    (tmp_path / "x.bin").write_bytes(b"abc")
    other = hashlib.sha256(b"other").hexdigest()
    measured = hashlib.sha256(b"abc").hexdigest()
    assert replace(file, sha256=other).fault(tmp_path / "x.bin") == f"has sha256 {measured}, expected {other}"


def test_survey_of_a_public_corpus(tmp_path):
    corpus = public_corpus({"d/sound": b"12", "d/broken": b"34", "d/begun": b"56", "d/absent": b"78"})
    assert corpus.survey(tmp_path).state == "missing"
    (tmp_path / "d").mkdir()
    (tmp_path / "d/begun.part").write_bytes(b"5")
    assert corpus.survey(tmp_path).state == "partial"
    (tmp_path / "d/sound").write_bytes(b"12")
    assert corpus.survey(tmp_path).state == "partial"
    (tmp_path / "d/broken").write_bytes(b"3")
    watched = []
    survey = corpus.survey(tmp_path, watch=watched.append)
    assert survey.state == "damaged"
    assert survey.sound == {"d/sound": 2}
    assert survey.damaged == {"d/broken": "holds 1 bytes, expected 2"}
    assert survey.unfinished == {"d/begun": 1}
    assert survey.missing == ["d/absent"]
    assert watched == ["d/sound", "d/broken", "d/begun", "d/absent"]
    for name, content in (("broken", b"34"), ("begun", b"56"), ("absent", b"78")):
        (tmp_path / "d" / name).write_bytes(content)
    assert corpus.survey(tmp_path).state == "present"


def test_a_folder_in_the_place_of_a_file_is_damage(tmp_path):
    (tmp_path / "x.bin").mkdir()
    assert public_corpus({"x.bin": b"1"}).survey(tmp_path).damaged == {"x.bin": "cannot be read: Is a directory"}


def test_a_stand_in_is_never_taken_for_the_corpus(tmp_path):
    corpus = public_corpus({"d/e/file": b"12"})
    (tmp_path / "d/e").mkdir(parents=True)
    (tmp_path / "d/e/file").write_bytes(b"synthetic")
    (tmp_path / "d" / STAND_IN_NOTE).write_text("{}")
    survey = corpus.survey(tmp_path)
    assert (survey.state, survey.stand_in, survey.damaged) == ("stand-in", ["d/e/file"], {})
    for path in IEMOCAP.layouts[1]:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"synthetic")
    (tmp_path / "iemocap" / STAND_IN_NOTE).write_text("{}")
    assert IEMOCAP.survey(tmp_path).state == "stand-in"


@pytest.mark.parametrize("layout", IEMOCAP.layouts)
def test_either_layout_of_iemocap_will_do(tmp_path, layout):
    assert IEMOCAP.survey(tmp_path).state == "missing"
    for path in layout:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"x" if path.endswith(".csv") else b"\x93NUMPY\1\0")
        last = path == layout[-1]
        assert IEMOCAP.survey(tmp_path).state == ("present" if last else "partial")
    assert set(IEMOCAP.survey(tmp_path).sound) == set(layout)


def test_iemocap_instructions_name_every_file_where_it_must_lie(tmp_path):
    text = IEMOCAP.instructions(tmp_path)
    assert "https://sail.usc.edu/iemocap/iemocap_release.htm" in text
    dictionaries, stacked = IEMOCAP.layouts
    for path in dictionaries:
        assert f"{tmp_path}/{path}" in text
    for path in stacked:
        assert Path(path).name in text


@pytest.fixture
def real_root() -> Path:
    if not os.environ.get("REPRISE_DATA"):
        pytest.skip("needs the public corpora: set REPRISE_DATA to their folder")
    return Path(os.environ["REPRISE_DATA"])


def test_real_files_have_the_pinned_content(real_root):
    present = [file for file in FILES.values() if file.place(real_root).exists()]
    assert len(present) > 0
    assert {file.path: fault for file in present if (fault := file.fault(file.place(real_root)))} == {}


def test_the_real_ravdess_is_present_as_smaller_copies(real_root):
    if not (real_root / "ravdess").is_dir():
        pytest.skip("needs RAVDESS: ./run_all.sh data get ravdess")
    survey = CATALOGUE["ravdess"].survey(real_root)
    assert (survey.state, len(survey.sound)) == ("present", 1441)
