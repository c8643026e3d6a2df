import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lib.data.recordings import functionals as module
from lib.data.recordings.functionals import functionals
from lib.errors import InputError

RATE = 16000


def tone(hertz, seconds=0.5, loudness=0.3):
    return (loudness * np.sin(2 * np.pi * hertz * np.arange(int(RATE * seconds)) / RATE)).astype(np.float32)


def test_each_value_has_a_name():
    names, values = functionals(tone(300), RATE)
    assert len(names) == len(set(names)) == values.size == 105
    assert values.dtype == np.float32


def test_twice_the_amplitude_is_six_decibels_of_level_and_moves_no_higher_coefficient():
    names, soft = functionals(np.random.default_rng(0).normal(0, 0.05, RATE), RATE)
    _, loud = functionals(2 * np.random.default_rng(0).normal(0, 0.05, RATE), RATE)
    change = dict(zip(names, loud - soft, strict=True))
    assert change["level_mean"] == pytest.approx(20 * np.log10(2), abs=1e-3)
    # The four empty bands stay at the floor, so only nearly nothing beyond the zeroth coefficient moves.
    assert abs(change["cepstrum_0_mean"]) > 10
    assert all(abs(change[f"cepstrum_{n}_std"]) < 0.1 for n in range(1, 20))


def test_a_steady_sound_changes_less_than_one_that_is_switched_on_and_off():
    steady = tone(300)
    switched = steady * (np.arange(len(steady)) // 800 % 2)
    names, calm = functionals(steady, RATE)
    _, rough = functionals(switched, RATE)
    for name in ("level_step", "level_std"):
        assert rough[names.index(name)] > 10 * calm[names.index(name)]


def test_silence_has_values():
    assert np.isfinite(functionals(np.zeros(RATE, np.float32), RATE)[1]).all()


@pytest.mark.parametrize("waveform", [np.zeros((2, RATE)), np.full(RATE, np.nan), np.zeros(3)])
def test_what_has_no_spectrogram_is_refused_in_one_line(waveform):
    with pytest.raises(InputError, match=r"^clip\.wav: "):
        functionals(waveform, RATE, where="clip.wav")


def test_an_unknown_kind_is_refused():
    with pytest.raises(InputError, match="known: mel, egemaps"):
        functionals(tone(300), RATE, "mfcc")


def test_without_opensmile_the_line_says_what_to_install(monkeypatch):
    module._smile.cache_clear()
    monkeypatch.setitem(sys.modules, "opensmile", None)
    with pytest.raises(InputError, match="not installed; pip install"):
        functionals(tone(300), RATE, "egemaps")


@pytest.mark.parametrize("value", [1.5, np.nan])
def test_egemaps_are_what_opensmile_says_and_must_be_finite(monkeypatch, value):
    module._smile.cache_clear()
    asked = []

    def process_signal(waveform, rate):
        asked.append((len(waveform), rate))
        return pd.DataFrame([[0.25, value]], columns=["F0_mean", "jitter"])

    fake = SimpleNamespace(
        Smile=lambda feature_set, feature_level: SimpleNamespace(process_signal=process_signal),
        FeatureSet=SimpleNamespace(eGeMAPSv02="set"),
        FeatureLevel=SimpleNamespace(Functionals="level"),
    )
    monkeypatch.setitem(sys.modules, "opensmile", fake)
    try:
        if np.isnan(value):
            with pytest.raises(InputError, match="not finite: jitter"):
                functionals(tone(300), RATE, "egemaps", where="clip.wav")
        else:
            names, values = functionals(tone(300), RATE, "egemaps")
            assert names == ("F0_mean", "jitter")
            np.testing.assert_allclose(values, [0.25, 1.5])
        assert asked == [(RATE // 2, RATE)]
    finally:
        module._smile.cache_clear()
