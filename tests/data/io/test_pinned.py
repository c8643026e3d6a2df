"""Files whose content is not the published one, however sound they are: shuffled, relabelled, shortened."""

import hashlib
import os

import pytest

from lib import data
from lib.data.catalogue import read_table
from lib.data.io import pinned
from lib.data.io.source_files import STAND_IN_NOTE
from lib.errors import InputError
from lib.files import git_blob_sha1
from tests.data.mosei.test_mosei_text import write_mosei
from tests.data.ravdess.test_ravdess import write_ravdess

TABLE = "mosei/unimse_test.tsv"


@pytest.fixture
def checked(monkeypatch):
    """As for users; gives what pins the files below a folder as they are."""
    monkeypatch.delenv(pinned.NEVERTHELESS)

    def pin(root, *, blobs=False):
        files = [path for path in root.rglob("*") if path.is_file()]
        known = {
            path.relative_to(root).as_posix(): ("", git_blob_sha1(path))
            if blobs
            else (hashlib.sha256(path.read_bytes()).hexdigest(), "")
            for path in files
        }
        monkeypatch.setattr(pinned, "pins", lambda: known)

    return pin


def shuffle_text(path):
    """Rows keep their ids and labels, and each gets the next one's sentence: joins, counts and checks all hold."""
    first, *rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    column = first.index("text")
    texts = [row[column] for row in rows]
    for row, text in zip(rows, [*texts[1:], texts[0]], strict=True):
        row[column] = text
    path.write_text("\n".join("\t".join(row) for row in (first, *rows)) + "\n", encoding="utf-8")


@pytest.mark.parametrize("name", ["mosei_text", "mosei_text_sentiment"])
def test_shuffled_sentences_are_refused_by_their_bytes(tmp_path, checked, name):
    write_mosei(tmp_path)
    checked(tmp_path)
    data.load(name, tmp_path, width=5, split="standard")
    shuffle_text(tmp_path / TABLE)
    with pytest.raises(InputError) as caught:
        data.load(name, tmp_path, width=5, split="standard")
    said = str(caught.value)
    assert said.startswith(f"{tmp_path / TABLE}: not the published file, its content is another; ")
    assert "\n" not in said and "./run_all.sh data check mosei_text" in said and "REPRISE_UNPINNED=1" in said


def test_who_asks_for_other_files_gets_them_with_a_warning(tmp_path, checked, monkeypatch):
    write_mosei(tmp_path)
    checked(tmp_path)
    shuffle_text(tmp_path / TABLE)
    monkeypatch.setenv(pinned.NEVERTHELESS, "1")
    found = data.load("mosei_text", tmp_path, width=5, split="standard").source.warnings
    assert f"{TABLE} is not the file that was published, so these are results of other data" in found


def test_a_stand_in_is_no_published_file(tmp_path, checked):
    write_mosei(tmp_path)
    checked(tmp_path)
    shuffle_text(tmp_path / TABLE)
    note = '{"name": "x", "licence": "none", "split_rule": "none", "warnings": [], "ceilings": {}, "cluster": "video"}'
    (tmp_path / "mosei" / STAND_IN_NOTE).write_text(note)
    assert data.load("mosei_text", tmp_path, width=5, split="standard").source.synthetic


@pytest.mark.parametrize("blobs", [False, True])
def test_exchanged_sounds_are_refused_whichever_hash_is_known(tmp_path, checked, blobs):
    clips = write_ravdess(tmp_path, "wav")
    checked(tmp_path, blobs=blobs)
    data.load("ravdess_raw", tmp_path)
    one, other = (next(tmp_path.rglob(f"{clip.id}.wav")) for clip in (clips[0], clips[3]))
    contents = one.read_bytes(), other.read_bytes()
    one.write_bytes(contents[1])
    other.write_bytes(contents[0])
    with pytest.raises(InputError, match=r"not the published file \(and 1 more\)"):
        data.load("ravdess_raw", tmp_path)


def test_every_published_file_is_pinned_and_sound_in_either_format(_any_content):
    known, files = _any_content(), [file for of in read_table().values() for file in of]
    assert {file.path for file in files} <= known.keys() and all(any(pins) for pins in known.values())
    flac = [path for path in known if path.endswith(".flac")]
    assert len(flac) == 1440 and all(known[path][0] for path in flac)


@pytest.mark.parametrize("name", ["mosei_text", "ravdess", "ravdess_frames", "meld_text", "mosi_words", "mmmo"])
def test_the_real_files_are_the_published_ones(name, real_root, monkeypatch, _any_content):
    if not all(path.is_file() for path in data.files(name, real_root)):
        pytest.skip(f"needs {name}: ./run_all.sh data get {name}")
    monkeypatch.setattr(pinned, "pins", _any_content)
    monkeypatch.delenv(pinned.NEVERTHELESS)
    root = real_root
    hashes = {
        p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in data.files(name, root)
    }
    assert pinned.notes_on_others(name, root, hashes) == []
    first = next(iter(hashes))
    with pytest.raises(InputError, match="not the published file"):
        pinned.notes_on_others(name, root, hashes | {first: "0" * 64})
    assert os.environ.get(pinned.NEVERTHELESS) is None
