"""What is derived from the descriptions of corpora, and that one more needs nothing else."""

import re
import sys
from dataclasses import replace
from types import ModuleType
from typing import Literal

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from lib import data
from lib.data import corpora
from lib.data.corpus import SPLITS, Corpus, Split
from lib.data.io.provenance import concluded, opened_source
from lib.errors import InputError
from lib.source_closure import closure
from tests.data.readers import READERS


def test_papers_choose_by_task_and_form():
    assert corpora.names(task="classes", form="sequences") == ("iemocap_like", "iemocap", "ravdess", "ravdess_frames")
    assert corpora.names(form="recordings") == (
        *("iemocap_raw_like", "mosei_raw_like", "iemocap_raw", "mosei_raw", "ravdess_raw", "ravdess_frames_raw"),
    )
    assert corpora.names(task="multilabel", form="sequences", family="mosei") == (
        "mosei_emotions_like",
        "mosei_text",
        "mosei_emotions",
    )
    assert "iemocap_nine" not in corpora.names()  # only ever read beside the four emotions


OBTAINED = [name for name, about in corpora.CORPORA.items() if not about.stands_for and not about.given]
"""Neither stand-ins nor the user's own."""


@pytest.mark.parametrize("name", OBTAINED)
def test_a_corpus_says_under_which_terms_it_stands_and_whom_to_cite(name):
    terms, _, cited = corpora.CORPORA[name].licence.partition("; cite ")
    assert len(terms) > 2 and re.match(r"\w.* (19|20)\d\d\b", cited)


def test_what_is_only_obtained_cannot_be_loaded():
    with pytest.raises(InputError, match="unknown corpus 'iemocap_handcrafted'; known: iemocap, "):
        data.load("iemocap_handcrafted")


def test_a_stand_in_is_asked_what_the_corpus_is_asked():
    for stand_in in corpora.CORPORA.values():
        if stand_in.stands_for:
            real = corpora.get(stand_in.stands_for)
            assert (stand_in.task, stand_in.form, stand_in.family) == (real.task, real.form, real.family)
            assert stand_in.scale == real.scale


@pytest.mark.parametrize("name", [name for name in READERS if name in corpora.CORPORA])
def test_a_reader_says_what_the_description_says(name, tmp_path):
    READERS[name].make(tmp_path)
    found, about = READERS[name].read(tmp_path), corpora.get(name)
    assert found.source.name.startswith(about.label) or found.source.synthetic
    if not found.source.synthetic:
        assert (found.source.licence, found.source.cluster) == (about.licence, about.cluster)
    assert set(about.warnings) <= set(found.source.warnings)
    if isinstance(found, Corpus):
        assert (found.task, found.scale) == (about.task, about.scale)
        assert tuple(found.modalities) == about.modalities
        assert (found.splits["train"].speakers is not None) == (about.form == "dialogues")


def test_one_more_corpus_is_a_description_and_a_reader(tmp_path, monkeypatch):
    """Here of two actors' voices, twelve clips each."""
    reader = ModuleType("voices")

    def files(root):
        return [root / "voices.txt"]

    def read(root, *, nonfinite="error"):
        source = opened_source("voices", root, files(root))
        rows = np.loadtxt(files(root)[0], dtype=np.float32)
        splits = {
            name: Split(
                {"audio": part[:, None, 1:]},
                np.ones(8, int),
                part[:, 0].astype(int),
                tuple(name + c for c in "abcdefgh"),
            )
            for name, part in zip(SPLITS, np.split(rows, 3), strict=True)
        }
        return Corpus("classes", ("calm", "angry"), {"audio": 2}, splits, concluded(source, root, "in order"))

    reader.files, reader.read = files, read
    monkeypatch.setitem(sys.modules, "voices", reader)
    about = replace(
        corpora.get("iemocap"), name="voices", label="Voices", reader="voices:read", cluster="speaker", licence="none"
    )
    monkeypatch.setitem(corpora.CORPORA, "voices", about)
    rng = np.random.default_rng(0)
    rows = np.column_stack([np.arange(24) % 2, rng.normal(size=(24, 2))])
    np.savetxt(tmp_path / "voices.txt", rows)
    found = data.load("voices", tmp_path)
    assert (found.source.label, found.source.cluster, len(found.splits["test"])) == ("Voices, real data", "speaker", 8)
    assert data.files("voices", tmp_path) == [tmp_path / "voices.txt"] and data.reader_module("voices") == "voices"
    chosen = TypeAdapter(Literal[corpora.names(task="classes", form="sequences")])
    assert chosen.validate_python("voices") == "voices"
    with pytest.raises(ValidationError):
        chosen.validate_python("mosi")
    (tmp_path / "voices.txt").unlink()
    with pytest.raises(InputError, match=r"voices\.txt: missing; see \./run_all\.sh data get voices"):
        data.load("voices", tmp_path)


def test_a_changed_description_orphans_no_trained_network():
    batches = ("lib.data.batches", "lib.data.recordings.raw_batches", "lib.data.recordings.handcrafted_batches")
    trained = closure([*batches, "lib.training.fleet"])
    about = ("lib/data/corpora.py", "lib/data/descriptions/", "lib/data/description.py", "lib/data/obtaining.py")
    assert not [path for path in trained if path.startswith(about)]
