"""Sound files of several formats, channels and rates become one channel at one rate."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from lib.data.recordings.sound import read_sound
from lib.errors import InputError

TIME = np.arange(16_000) / 16_000
TONE = 0.4 * np.sin(2 * np.pi * 440 * TIME)


@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_both_forms_give_the_same_samples(ending, tmp_path):
    soundfile.write(tmp_path / f"a.{ending}", TONE, 16_000, subtype="PCM_16")
    found = read_sound(tmp_path / f"a.{ending}")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, TONE, atol=1 / 32768)  # 16 bits


def test_channels_are_averaged_and_other_rates_resampled(tmp_path):
    fine = 0.4 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    soundfile.write(tmp_path / "a.wav", np.stack([fine, np.zeros(48_000)], axis=1), 48_000)
    found = read_sound(tmp_path / "a.wav")
    assert found.shape == (16_000,)
    np.testing.assert_allclose(found[200:-200], TONE[200:-200] / 2, atol=1e-3)  # the filter's ripple; its ends are cut


def test_a_sound_may_not_be_too_long(tmp_path):
    soundfile.write(tmp_path / "a.flac", np.zeros(48_000), 16_000)
    with pytest.raises(InputError, match=r"a\.flac: longer than 2 s; cut it"):
        read_sound(tmp_path / "a.flac", longest_s=2)


@pytest.mark.parametrize(
    ("samples", "message"), [(np.zeros(0), "no samples"), (np.full(9, np.nan), "samples that are not finite")]
)
def test_nothing_to_hear_is_refused(samples, message, tmp_path):
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
    with pytest.raises(InputError, match=message):
        read_sound(tmp_path / "a.wav")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_cut_flac_is_refused(share, tmp_path):
    path: Path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 16_000), 16_000)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(InputError, match=r"a\.flac") as refused:
        read_sound(path)
    assert "\n" not in str(refused.value)


def test_without_the_package_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(InputError, match=r"the package soundfile is not installed; pip install 'soundfile>=0.13'"):
        read_sound(tmp_path / "a.wav")
