"""The faces that facenet-pytorch 2.6.0 finds in real frames: the largest in every eighth frame of six clips.

`mtcnn_cremad.csv` was written with it (boxes to 4 decimals), one frame at a time, without NumPy's vectorised sorting:
with it, what comes first of equal scores depends on the processor, and three of its boxes lie up to four pixels aside.
"""

import csv
import os
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from lib.data.catalogue import CATALOGUE
from lib.data.pretrained import PARTS
from lib.data.recordings.mtcnn import read
from lib.data.recordings.raw_decoding import TOGETHER
from lib.data.recordings.video_frames import Video

EXPECTED = Path(__file__).with_name("mtcnn_cremad.csv")


@pytest.fixture
def root() -> Path:
    root = Path(os.environ.get("REPRISE_DATA") or "nowhere")
    for name, survey in (("cremad_sample", CATALOGUE["cremad_sample"].survey), ("mtcnn", PARTS["mtcnn"].survey)):
        if survey(root).state != "present":
            pytest.skip(f"needs REPRISE_DATA with the real clips and weights: ./run_all.sh data get {name}")
    return root


@pytest.mark.slow
def test_the_faces_of_real_clips_are_the_references(root):
    detector = read(PARTS["mtcnn"].paths(root)["pnet.pt"].parent)
    with EXPECTED.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 50
    for clip, of_clip in groupby(rows, key=lambda row: row["clip"]):
        expected = {int(row.pop("frame")): [float(v) for name, v in row.items() if name != "clip"] for row in of_clip}
        with Video(root / f"cremad_sample/{clip}.flv") as video:
            frames = [np.ascontiguousarray(frame[..., ::-1]) for place, frame in enumerate(video) if place in expected]
        found = []
        for start in range(0, len(frames), TOGETHER):
            found += detector.faces(np.stack(frames[start : start + TOGETHER]))
        assert [len(faces) for faces in found] == [1] * len(expected)
        found = np.concatenate(found)
        wanted = np.array([*expected.values()])
        np.testing.assert_allclose(found[:, :4], wanted[:, :4], atol=1e-3)  # pixels
        np.testing.assert_allclose(found[:, 4], wanted[:, 4], atol=1e-6)
