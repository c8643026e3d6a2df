"""The detector that comes with OpenCV finds a drawn face where it is, nothing on a blank, and its crop is cached."""

import hashlib
import importlib
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from lib.data.recordings.face_detection import describe, haar, yunet
from lib.data.recordings.mme2e_rules import face_less_crop
from lib.data.recordings.raw_batches import open_batches
from lib.data.recordings.raw_decoding import Options, face, read_image
from lib.data.recordings.raw_layout import read
from lib.data.recordings.raw_preprocessing import preprocess, utterance_file
from lib.data.stand_ins.synthetic_raw import write
from lib.errors import InputError

HAAR = "lib.data.recordings.face_detection:haar"
CENTRE, RADIUS = (90, 140), 50
"""Column and row of the middle of the drawn face, and half its width."""


def drawn(centre=CENTRE, size=(224, 224), scale=1.0) -> Image.Image:
    image = Image.new("RGB", size, (110, 110, 110))
    draw = ImageDraw.Draw(image)

    def at(shape, fill, *box):
        x, y = centre
        getattr(draw, shape)([v * scale + (x, y)[k % 2] for k, v in enumerate(box)], fill=fill)

    at("ellipse", (60, 40, 30), -54, -85, 54, 30)
    at("ellipse", (215, 175, 150), -50, -70, 50, 70)
    for side in (-22, 22):
        at("ellipse", (250, 250, 250), side - 13, -22, side + 13, -8)
        at("ellipse", (40, 30, 30), side - 6, -21, side + 6, -9)
        at("rectangle", (70, 45, 30), side - 16, -36, side + 16, -30)
    at("rectangle", (185, 140, 120), -7, -10, 7, 18)
    at("rectangle", (150, 50, 60), -20, 35, 20, 43)
    return image.filter(ImageFilter.GaussianBlur(1))


def test_a_drawn_face_is_found_where_it_is():
    left, top, right, bottom = haar(np.asarray(drawn()))
    assert abs((left + right) / 2 - CENTRE[0]) < 12 and abs((top + bottom) / 2 - CENTRE[1]) < 25
    assert 1.2 * RADIUS < right - left < 3 * RADIUS


def test_the_largest_face_counts():
    image = drawn(centre=(90, 110), size=(400, 224))
    image.paste(drawn(centre=(60, 60), size=(120, 120), scale=0.5), (260, 50))
    left, _, right, _ = haar(np.asarray(image))
    assert abs((left + right) / 2 - 90) < 12
    small = np.asarray(image)[:, 240:]
    assert haar(small) is not None  # the other one alone is found as well


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_found_on_a_blank_or_in_noise(seed):
    rng = np.random.default_rng(seed)
    blank = np.full((224, 224, 3), 40 * (seed + 1), np.uint8)
    assert haar(blank) is None
    assert haar(rng.integers(0, 256, (224, 224, 3), np.uint8)) is None
    np.testing.assert_array_equal(face(blank, haar, Options()), face_less_crop(blank))


def test_detected_crops_are_cached_and_recorded(tmp_path):
    root = tmp_path / "raw"
    write("iemocap", root, {"train": 2, "valid": 1, "test": 1}, frames=1)
    first, second = read("iemocap", root).splits["train"]
    for item, image in ((first, drawn()), (second, Image.new("RGB", (224, 224), (90, 90, 90)))):
        for number in range(2):
            image.save(item.folder / f"{item.image_stem}{number}.jpg", quality=95)
    options = Options(detector=HAAR, frame_count="images")
    prepared = preprocess("iemocap", root, tmp_path / "out", options)
    record = prepared["face_detection"]
    assert record["detector"] == HAAR and record["is_mtcnn"] is False and len(record["weights_sha256"]) == 64
    image = read_image(first.folder / f"{first.image_stem}0.jpg", "iemocap")
    with np.load(utterance_file(tmp_path / "out" / "iemocap", first.id)) as arrays:
        np.testing.assert_array_equal(arrays["faces"][0], face(image, haar, options))
        assert arrays["faces"].dtype == np.float32 and not np.array_equal(arrays["faces"][0], face_less_crop(image))
        assert (arrays["faces"] % 1 != 0).any()  # not rounded on the way
    with np.load(utterance_file(tmp_path / "out" / "iemocap", second.id)) as arrays:
        assert arrays["faces"].dtype == np.uint8
    seen = open_batches(tmp_path / "out" / "iemocap", "train").inputs["video"].numpy()
    np.testing.assert_array_equal(seen, [face(image, haar, options), np.full((48, 48, 3), 90)])
    assert prepared["faces"]["train"] == {"images": 2, "found": 1, "given": 0, "crop_rule": 1}
    again = []
    assert preprocess("iemocap", root, tmp_path / "out", options, watch=lambda o: again.append(o.made)) == prepared
    assert again == [False] * 4
    other = preprocess("iemocap", root, tmp_path / "out", Options(frame_count="images"))
    assert other["faces"]["train"]["found"] == 0 and other["face_detection"]["detector"] is None


def test_ready_crops_need_no_detector(tmp_path):
    root = tmp_path / "raw"
    write("mosei", root, {"train": 1, "valid": 1, "test": 1}, frames=2)
    for path in root.rglob("*.jpg"):
        Image.open(path).crop((0, 0, 48, 48)).save(path)
    prepared = preprocess("mosei", root, tmp_path / "out")
    assert prepared["faces"]["test"] == {"images": 1, "found": 0, "given": 1, "crop_rule": 0}
    asked = preprocess("mosei", root, tmp_path / "out", Options(detector=HAAR))
    assert asked["options"] == prepared["options"] and asked["face_detection"] == prepared["face_detection"]
    one = next(root.rglob("image_0.jpg"))
    Image.new("RGB", (360, 360)).save(one)
    mixed = preprocess("mosei", root, tmp_path / "out", Options(detector=HAAR))
    assert mixed["options"]["detector"] == mixed["face_detection"]["detector"] == HAAR


def test_yunet_needs_its_file(monkeypatch, tmp_path):
    monkeypatch.delenv("REPRISE_YUNET", raising=False)
    blank = np.zeros((224, 224, 3), np.uint8)
    with pytest.raises(InputError, match="REPRISE_YUNET"):
        yunet(blank)
    with pytest.raises(InputError, match="REPRISE_YUNET"):
        describe("lib.data.recordings.face_detection:yunet")
    (tmp_path / "network.onnx").write_bytes(b"no network")
    monkeypatch.setenv("REPRISE_YUNET", str(tmp_path / "network.onnx"))
    write("mosei", tmp_path, {"train": 1, "valid": 1, "test": 1}, frames=2)
    with pytest.raises(InputError, match="not a YuNet network"):
        preprocess("mosei", tmp_path, tmp_path / "out", Options(detector="lib.data.recordings.face_detection:yunet"))
    assert not (tmp_path / "out").exists()


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """Writes a module with a detector that finds a face of so many pixels, and loads it."""
    monkeypatch.syspath_prepend(tmp_path / "code")
    (tmp_path / "code").mkdir()

    def write(side: int) -> str:
        name = "a_detector_from_elsewhere"
        (tmp_path / f"code/{name}.py").write_text(f"def find(image):\n    return 0.0, 0.0, {side}.0, {side}.0\n")
        monkeypatch.delitem(sys.modules, name, raising=False)
        importlib.invalidate_caches()
        return f"{name}:find"

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return write


def test_a_foreign_detector_is_not_judged_and_known_by_its_source(foreign, tmp_path):
    record = describe(foreign(46))
    source = hashlib.sha256((tmp_path / "code/a_detector_from_elsewhere.py").read_bytes()).hexdigest()
    assert record["is_mtcnn"] is None and record["source_sha256"] == {"a_detector_from_elsewhere": source}


def test_crops_of_a_changed_detector_are_made_anew(foreign, tmp_path):
    write("mosei", tmp_path / "raw", {"train": 1, "valid": 1, "test": 1}, frames=2)
    made, seen = [], []
    for side in (46, 46, 92):
        options = Options(detector=foreign(side))
        preprocess("mosei", tmp_path / "raw", tmp_path / "out", options, watch=lambda o: made.append(o.made))
        seen.append(open_batches(tmp_path / "out/mosei", "train").inputs["video"])
    assert made == [True] * 3 + [False] * 3 + [True] * 3
    assert (seen[0] == seen[1]).all() and (seen[1] != seen[2]).any()
