"""Boxes worked out by hand, and crops against torch's own area interpolation."""

import numpy as np
import pytest
import torch

from lib.data.recordings.face_boxes import Integral, moved, pyramid, squared, strongest

CORNER = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [30, 30, 40, 40]], np.float32)
"""The first two share 81 of 119."""
NESTED = np.array([[0, 0, 99, 99], [0, 0, 9, 9], [95, 0, 104, 9]], np.float32)
"""With both ends counted the second lies in the first, and of the third's ten columns five do."""


def test_the_pyramid_ends_with_the_scale_at_which_the_image_is_one_cell():
    assert pyramid(100, 80, smallest=20, cell=12, factor=0.5) == [0.6, 0.3, 0.15]  # 48, 24 and 12 pixels
    assert pyramid(79, 100, smallest=20, cell=12, factor=0.5) == [0.6, 0.3]  # 11.85 would be too few
    assert pyramid(19, 500, smallest=20, cell=12, factor=0.5) == []


@pytest.mark.parametrize(("most", "kept"), [(0.69, [1, 0, 2]), (0.68, [1, 2]), (0.0, [1, 2])])
def test_of_boxes_that_share_too_much_the_strongest_remains(most, kept):
    assert strongest(CORNER, np.array([0.8, 0.9, 0.7], np.float32), most).tolist() == kept


def test_a_box_within_another_shares_all_of_the_smaller_and_little_of_both():
    scores = np.array([0.9, 0.8, 0.7], np.float32)
    assert strongest(NESTED, scores, 0.5).tolist() == [0, 1, 2]
    assert strongest(NESTED, scores, 0.5, "of_the_smaller").tolist() == [0, 2]
    assert strongest(NESTED, scores, 0.49, "of_the_smaller").tolist() == [0]


def test_of_equal_scores_the_first_counts_and_against_the_smaller_box_the_last():
    equal = np.ones(2, np.float32)
    assert strongest(CORNER[:2], equal, 0.5).tolist() == [0]
    assert strongest(CORNER[:2], equal, 0.5, "of_the_smaller").tolist() == [1]


def test_nothing_remains_of_nothing():
    assert strongest(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), 0.5).shape == (0,)


def test_edges_move_by_shares_of_the_sides():
    boxes, moves = np.array([[10, 20, 20, 60]], np.float32), np.array([[0.1, -0.5, 0.2, 0.25]], np.float32)
    np.testing.assert_allclose(moved(boxes, moves), [[11, 0, 22, 70]], rtol=1e-6)
    np.testing.assert_allclose(moved(boxes, moves, unit=1), [[11.1, -0.5, 22.2, 70.25]], rtol=1e-6)


def test_a_square_has_the_longer_side_and_the_same_middle():
    boxes = np.array([[10, 20, 20, 60], [0, 0, 8, 2]], np.float32)
    np.testing.assert_array_equal(squared(boxes), [[-5, 20, 35, 60], [0, -3, 8, 5]])


def test_places_are_counted_from_one_and_end_with_the_image():
    pixels = Integral(np.zeros((1, 50, 80, 3), np.uint8))
    boxes = np.array([[10.9, 20.2, 30.7, 40], [-3, 0.5, 99, 99], [90, 10, 99, 20]], np.float32)
    np.testing.assert_array_equal(pixels.inside(boxes)[:2], [[9, 19, 30, 40], [0, 0, 80, 50]])
    outside = pixels.inside(boxes)[2]
    assert outside[0] >= outside[2]


def test_crops_are_those_of_area_interpolation():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 70, 90, 3), np.uint8)
    frames = rng.integers(0, 3, 40)
    ends = np.sort(rng.integers(1, 70, (40, 2, 2)), axis=2)  # small ones are enlarged
    places = np.concatenate([ends[:, :, 0] - 1, ends[:, :, 1]], axis=1)
    for side in (1, 24, 48):
        found = Integral(images).crops(frames, places, side)
        for crop, frame, (left, top, right, bottom) in zip(found, frames, places, strict=True):
            piece = torch.from_numpy(images[frame, top:bottom, left:right].copy()).permute(2, 0, 1)[None].double()
            wanted = torch.nn.functional.interpolate(piece, size=(side, side), mode="area")[0]
            np.testing.assert_allclose(crop, wanted.numpy(), rtol=1e-6)
