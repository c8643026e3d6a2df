import numpy as np
import pytest

from lib.data.recordings.mel import BANDS, cut_pieces, mel_filters, mel_spectrogram
from lib.errors import InputError

RATE = 16000


def tone(hertz: float, seconds: float = 0.5, rate: int = RATE) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate).astype(np.float32)


def test_frame_count():
    for samples in (201, 400, 1999, 2000, 8000):
        waveform = np.ones(samples, np.float32)
        assert mel_spectrogram(waveform, RATE, "fixed").shape == (BANDS, 1 + samples // 200)


@pytest.mark.parametrize("hertz", [500, 1000, 3000])
def test_a_tone_lands_in_its_band(hertz):
    power = mel_spectrogram(tone(hertz), RATE, "window").mean(axis=1)
    bin_of_tone = round(hertz / 40)  # 201 bins on 0...8000 Hz
    assert power.argmax() == mel_filters(RATE, 400)[bin_of_tone].argmax()


def test_power_is_quadratic_and_not_logarithmic():
    quiet, loud = (mel_spectrogram(scale * tone(440), RATE, "fixed") for scale in (0.1, 0.2))
    np.testing.assert_allclose(loud, 4 * quiet, rtol=1e-4, atol=1e-6)


def test_silence_is_zero():
    assert not mel_spectrogram(np.zeros(4000), RATE, "fixed").any()


def test_pieces_hold_the_spectrogram_and_zeros():
    spectrogram = np.arange(1, BANDS * 70 + 1, dtype=np.float32).reshape(BANDS, 70)
    pieces = cut_pieces(spectrogram)
    assert pieces.shape == (3, 1, BANDS, 32)
    joined = np.concatenate(list(pieces[:, 0]), axis=1)
    np.testing.assert_array_equal(joined[:, :70], spectrogram)
    assert not joined[:, 70:].any()


def test_some_low_filters_are_empty():
    assert np.flatnonzero(~mel_filters(RATE, 400).any(axis=0)).tolist() == [0, 3, 6, 13]
    with pytest.raises(ValueError, match="read-only"):
        mel_filters(RATE, 400)[0, 0] = 1.0


@pytest.mark.parametrize(
    ("waveform", "rate", "words"),
    [
        (np.zeros(200), RATE, "too short"),
        (np.zeros(0), RATE, "too short"),
        (np.zeros((4000, 2)), RATE, "one channel"),
        (np.r_[np.zeros(4000), np.nan], RATE, "NaN"),
        (np.zeros(9000), 44100, "44100 Hz"),
        (np.zeros(9000), 40, "40 Hz"),
    ],
)
def test_unusable_audio_is_named(waveform, rate, words):
    with pytest.raises(InputError, match=words) as caught:
        mel_spectrogram(waveform, rate, "fixed", where="Ses01/audio.wav")
    assert str(caught.value).startswith("Ses01/audio.wav: ")


def test_the_window_rule_takes_any_rate():
    assert mel_spectrogram(np.zeros(9000), 44100, "window").shape == (BANDS, 1 + 9000 // 551)
