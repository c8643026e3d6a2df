import numpy as np
import pytest

from lib.data.iemocap.iemocap_handcrafted import AUDIO_WIDTH, feature_file, read_phase, write_phase
from lib.data.recordings.mme2e_rules import audio_columns
from lib.errors import InputError

LEFT, RIGHT, BAD = "Ses01F_impro01_F000", "Ses01F_impro01_M000", "Ses01F_impro01_F001"


@pytest.fixture
def tables():
    rng = np.random.default_rng(0)
    both = {f"image_{s}_{i}": rng.normal(size=40) for s in "LR" for i in range(3)}
    audio = {s: rng.normal(size=(AUDIO_WIDTH, 5)) for s in "LR"}
    return {
        "text": {LEFT: rng.normal(size=(4, 300)), RIGHT: [], BAD: []},
        "audio": {LEFT: audio, RIGHT: audio, BAD: audio},
        "video": {LEFT: both, RIGHT: both, BAD: {}},
    }


def test_sides_columns_and_empty_parts(tables, tmp_path):
    write_phase(tmp_path, "train", tables)
    found, problems = read_phase(tmp_path, "train", audio_type=3)
    assert problems == {BAD: "no image"} and list(found) == [LEFT, RIGHT]
    for name, side in ((LEFT, "L"), (RIGHT, "R")):
        expected = tables["audio"][name][side].T[:, audio_columns(3)]
        np.testing.assert_array_equal(found[name]["audio"], expected.astype(np.float32))
        units = tables["video"][name][f"image_{side}_2"][-35:]
        np.testing.assert_array_equal(found[name]["video"][2], units.astype(np.float32))
    assert found[LEFT]["text"].shape == (4, 300) and found[RIGHT]["text"].shape == (0, 300)


def test_unusable_utterances_are_told(tables, tmp_path):
    del tables["audio"][RIGHT]
    tables["text"][LEFT][0, 0] = np.nan
    write_phase(tmp_path, "test", tables)
    found, problems = read_phase(tmp_path, "test")
    assert not found
    assert problems == {LEFT: "features hold NaN or infinity", RIGHT: "no audio features", BAD: "no image"}


def test_missing_file(tables, tmp_path):
    write_phase(tmp_path, "valid", tables)
    feature_file(tmp_path, "valid", "video").unlink()
    with pytest.raises(InputError, match=r"valid_video_features\.pt: missing"):
        read_phase(tmp_path, "valid")
