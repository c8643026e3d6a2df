import numpy as np
import pytest

from lib.data.recordings.mme2e_rules import (
    RawUtterance,
    audio_columns,
    collate_handcrafted,
    collate_raw,
    face_less_crop,
    one_hot,
    positive_weights,
    sampled_frames,
    uses_left_camera,
)
from lib.errors import InputError


def test_an_id_of_another_form_is_refused():
    for id in ("Ses03F", "", "Ses03F_"):
        with pytest.raises(InputError, match="Ses03F_impro03_F018"):
            uses_left_camera(id)


def test_counting_images_uses_the_last_frame():
    """31 frames: the IEMOCAP rule loses one and with it the third sample."""
    assert list(sampled_frames(31, 500, "images")) == [0, 15, 30]
    assert list(sampled_frames(2 * 31 + 3, 500, "iemocap")) == [0, 15]
    assert list(sampled_frames(0, 100, "images")) == []


def test_an_interval_below_one_frame_is_refused():
    with pytest.raises(InputError, match="33 ms"):
        sampled_frames(10, 33, "images")
    assert list(sampled_frames(3, 34, "images")) == [0, 1, 2]


def test_crop_without_a_face():
    image = np.arange(360 * 480 * 3).reshape(360, 480, 3)
    centre = face_less_crop(image, columns="centre")
    np.testing.assert_array_equal(centre, image[156:204, 216:264])
    np.testing.assert_array_equal(face_less_crop(image), image[156:204, 132:180])
    with pytest.raises(InputError, match="95 x 200"):
        face_less_crop(np.zeros((95, 200, 3)))
    assert face_less_crop(np.zeros((95, 200, 3)), columns="centre").shape == (48, 48, 3)
    with pytest.raises(InputError, match="200 x 60"):
        face_less_crop(np.zeros((200, 60, 3)))


def test_an_emotion_without_a_positive_has_no_weight():
    labels = one_hot(np.array([0, 0, 2]), 3)
    with pytest.raises(InputError, match="emotion 1"):
        positive_weights(labels)
    np.testing.assert_allclose(positive_weights(labels[:, [0, 2]]), [0.5, 2.0])


def test_a_batch_without_any_image_is_none():
    empty = RawUtterance("u", np.zeros((0, 4, 4, 3)), np.zeros((1, 1, 4, 2)), "words", np.zeros(6))
    assert collate_raw([empty, empty]) is None


def test_a_modality_that_is_empty_throughout_keeps_one_step():
    batch, lengths = collate_handcrafted({"text": [np.zeros((0, 300)), np.zeros((0, 300))]})["text"]
    assert batch.shape == (2, 1, 300)
    assert lengths.tolist() == [0, 0]


def test_unknown_audio_feature_type():
    with pytest.raises(InputError, match="7"):
        audio_columns(7)
