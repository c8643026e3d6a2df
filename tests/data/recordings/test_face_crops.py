"""Which pixels of an image are a face, and how they become 48 x 48 (spec end_to_end, 5.2): the box and its margin, cut
to the image, without the fractions of pixels, by area and without rounding.

`face_crops.csv` holds what `extract_face` of facenet-pytorch gives for float32 arrays, as the reference calls it:
pixels of crops of `pattern`. Its versions 2.3.0, the reference's, and 2.6.0 agree.
"""

import csv
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import cv2
import numpy as np
import pytest

from lib.data.pretrained import PARTS
from lib.data.recordings.face_detection import mtcnn
from lib.data.recordings.raw_decoding import Options, located_face
from lib.data.recordings.video_frames import Video

EXPECTED = Path(__file__).with_name("face_crops.csv")
OF_FACENET = Path(__file__).with_name("mtcnn_cremad.csv")


def gradient(height: int, width: int) -> np.ndarray:
    """Red is the column, green the row."""
    rows, columns = np.mgrid[:height, :width].astype(np.uint8)
    return np.stack([columns, rows, np.zeros_like(rows)], axis=2)


def pattern(height: int, width: int) -> np.ndarray:
    y, x, colour = np.ogrid[:height, :width, :3]
    return ((7 * x + 13 * y + 101 * colour + x * y // 5 % 61 * 3) % 256).astype(np.uint8)


def crop(image: np.ndarray, box: tuple[float, ...]) -> np.ndarray:
    found, origin = located_face(image, lambda _: tuple(box), Options())
    assert origin == "found" and found.dtype == np.float32 and found.shape == (48, 48, 3)
    return found


@pytest.mark.parametrize(
    ("box", "first"),
    [
        # 92 + 2 x 2 columns from 3.9; of rows 95.5 and 2.08 more at the bottom, since at the top the image ends.
        ((5.9, -1.5, 97.9, 94.0), (3, 0)),
        # Columns from 106.9 - 98.1 / 46 = 104.77 and rows from 26.5 - 92.5 / 46 = 24.49 to the ends of the image.
        ((106.9, 26.5, 205.0, 119.0), (104, 24)),
        # From 3.40 and 3.60 to 99.60 and 99.70, inside the image.
        ((5.4, 5.6, 97.6, 97.7), (3, 3)),
    ],
)
def test_a_box_with_its_margin_is_cut_to_whole_pixels_of_the_image(box, first):
    """Of 96 x 96 pixels each of the crop is the mean of four, which a byte could not hold."""
    found, places = crop(gradient(120, 200), box), 2 * np.arange(48) + 0.5
    np.testing.assert_array_equal(found[..., 0], np.broadcast_to(first[0] + places, (48, 48)))
    np.testing.assert_array_equal(found[..., 1], np.broadcast_to((first[1] + places)[:, None], (48, 48)))


def test_crops_are_those_of_facenet_pytorch():
    with EXPECTED.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 6 * 9
    for case, of_case in groupby(rows, key=itemgetter("case")):
        for row in of_case:
            height, width, at, column = (int(row[name]) for name in ("height", "width", "row", "column"))
            box = tuple(float(row[name]) for name in ("left", "top", "right", "bottom"))
            found = crop(pattern(height, width), box)[at, column]
            wanted = [float(row[colour]) for colour in ("red", "green", "blue")]
            np.testing.assert_allclose(found, wanted, atol=2e-4, err_msg=f"{case}: {at}, {column}")


@pytest.mark.slow
def test_crops_of_real_clips_are_cut_where_facenet_pytorch_finds_faces(real_root):
    """To its boxes, known to four decimals, the rule is applied here once more, in other words."""
    for path in (real_root / "cremad_sample", *(real_root / path for path in PARTS["mtcnn"].hashes())):
        if not path.exists():
            pytest.skip("needs ./run_all.sh data get cremad_sample mtcnn")
    with OF_FACENET.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    seen = 0
    for clip, of_clip in groupby(rows, key=itemgetter("clip")):
        wanted = {int(row["frame"]): [float(row[name]) for name in list(row)[2:6]] for row in of_clip}
        with Video(real_root / f"cremad_sample/{clip}.flv") as video:
            frames = {place: frame[..., ::-1] for place, frame in enumerate(video) if place in wanted}
        for place, frame in frames.items():
            corners = np.array(wanted[place]).reshape(2, 2)
            margin = 2 * (corners[1] - corners[0]) / (48 - 2) / 2
            widened = corners + np.array([-margin, margin])
            (left, top), (right, bottom) = np.clip(widened, 0, frame.shape[1::-1]).astype(int)
            pixels = np.float32(frame)[top:bottom, left:right]
            found, origin = located_face(np.ascontiguousarray(frame), mtcnn.below(real_root), Options())
            assert origin == "found"
            np.testing.assert_array_equal(found, cv2.resize(pixels, (48, 48), interpolation=cv2.INTER_AREA))
            seen += 1
    assert seen == len(rows) == 50
