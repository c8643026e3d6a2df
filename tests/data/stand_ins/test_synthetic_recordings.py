"""Stand-ins for raw corpora: loaded like any other, written and decoded once."""

import numpy as np
import pytest

from lib import data
from lib.data.corpus import SPLITS
from lib.data.recordings.raw_decoding import Options
from lib.data.recordings.streamed_corpus import IEMOCAP, open_handcrafted
from lib.data.stand_ins import synthetic_raw
from lib.data.stand_ins.synthetic_recordings import prepared
from lib.errors import InputError

SIZES = {"train": 4, "valid": 2, "test": 2}


@pytest.fixture
def unused(monkeypatch):
    def fail(*_, **__):
        raise AssertionError("written again")

    return lambda: monkeypatch.setattr(synthetic_raw, "write", fail)


@pytest.mark.parametrize("name", ["iemocap_raw_like", "mosei_raw_like"])
def test_they_load(name):
    corpus = data.load(name, samples=11)
    assert [len(corpus.splits[split]) for split in SPLITS] == [7, 2, 2]
    batch = corpus.splits["train"].take(np.arange(3)).inputs
    assert batch["text"].shape == (3, 100) and batch["video"].shape[1:] == (48, 48, 3)
    assert len(batch["audio_lengths"]) == 3 and corpus.source.synthetic
    assert data.load(name, samples=11).digest == corpus.digest != data.load(name, samples=11, seed=1).digest
    with pytest.raises(InputError, match="raise `samples`"):
        data.load(name, samples=3)


def test_what_is_there_is_neither_written_nor_decoded_again(unused):
    folder, shown = prepared(IEMOCAP, SIZES, frames=3, seed=5, options=Options(frame_count="images"), features=True)
    assert len(shown) == 8 and set(shown["Ses01F_impro00_F000"]) == {"label", "text", "audio", "video"}
    assert len(open_handcrafted(IEMOCAP.folder(folder), IEMOCAP.features(folder)).splits["train"]) == 4
    unused()
    again = prepared(IEMOCAP, SIZES, frames=3, seed=5, options=Options(frame_count="images"), features=True)
    assert again == (folder, shown)
    with pytest.raises(AssertionError, match="written again"):
        prepared(IEMOCAP, SIZES, frames=3, seed=5, options=Options(frame_count="reference"), features=True)


def test_one_changed_byte_is_noticed():
    folder, _ = prepared(IEMOCAP, SIZES, frames=3, seed=6)
    image = next(folder.rglob("*.jpg"))
    content = image.read_bytes()
    image.write_bytes(content[:-1] + b"x")
    assert prepared(IEMOCAP, SIZES, frames=3, seed=6)[0] == folder
    assert image.read_bytes() == content
