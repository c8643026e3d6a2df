"""Face detectors for `data preprocess --detector lib.data.recordings.face_detection:<name>`.

The reference uses MTCNN of facenet-pytorch, whose releases demand torchvision and a torch older than this library's
(spec end_to_end, 11). These stand in for it, so crops differ from the reference's; what was prepared says which was
used. `haar` is OpenCV's frontal cascade of Haar features, whose weights come with its wheel: fast, but it misses turned
faces and sees some where there are none. `yunet` is a small network of much higher recall; the file
`face_detection_yunet_2023mar.onnx` of github.com/opencv/opencv_zoo must lie where `REPRISE_YUNET` says.

As in the reference, the largest face counts and none below 20 pixels.
"""

import os
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from lib.data.io.impostors import refuse
from lib.errors import InputError
from lib.files import sha256_file

SMALLEST = 20
Box = tuple[float, float, float, float]


def haar(image: np.ndarray) -> Box | None:
    """Left, top, right, bottom of the largest face in an RGB image `(height, width, 3)`, or None."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    found = _cascade().detectMultiScale(grey, scaleFactor=1.1, minNeighbors=5, minSize=(SMALLEST, SMALLEST))
    return _largest([(x, y, x + width, y + height) for x, y, width, height in found])


def yunet(image: np.ndarray) -> Box | None:
    """As `haar`. Raises InputError if `REPRISE_YUNET` does not name the network's file."""
    network = _network(str(_weights()))
    network.setInputSize((image.shape[1], image.shape[0]))
    _, found = network.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    boxes = [] if found is None else [(x, y, x + width, y + height) for x, y, width, height in found[:, :4]]
    return _largest([box for box in boxes if min(box[2] - box[0], box[3] - box[1]) >= SMALLEST])


def describe(name: str) -> dict[str, object]:
    """What a record of the preparation says about the detector `module:function`.

    Raises InputError for one of these whose weights are missing or unusable.
    """
    facts: dict[str, object] = {"detector": name, "is_mtcnn": False}
    if not name.startswith(f"{__name__}:"):
        return facts | {"is_mtcnn": None, "note": "a detector from outside this library"}
    facts |= {"note": "not the reference's MTCNN, so its crops differ", "opencv": cv2.__version__}
    if not name.endswith(":yunet"):
        return facts | {"weights_sha256": sha256_file(_haar_file())}
    _network(str(_weights()))  # told now rather than at every image
    return facts | {"weights_sha256": sha256_file(_weights())}


def _largest(boxes: list[Box]) -> Box | None:
    box = max(boxes, key=lambda b: (b[2] - b[0]) * (b[3] - b[1]), default=None)
    return box and tuple(float(place) for place in box)


def _haar_file() -> Path:
    return Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml"


@lru_cache(maxsize=1)
def _cascade() -> cv2.CascadeClassifier:
    cv2.setNumThreads(1)  # utterances are prepared side by side
    return cv2.CascadeClassifier(str(_haar_file()))


def _weights() -> Path:
    path = Path(os.environ.get("REPRISE_YUNET", ""))
    if not path.is_file():
        todo = "set REPRISE_YUNET to the path of face_detection_yunet_2023mar.onnx from github.com/opencv/opencv_zoo"
        raise InputError("the face detector's network is missing", where=path, todo=todo)
    refuse(path)
    return path


@lru_cache(maxsize=1)
def _network(path: str) -> "cv2.FaceDetectorYN":
    try:
        return cv2.FaceDetectorYN.create(path, "", (320, 320))
    except cv2.error as error:
        raise InputError("not a YuNet network", where=path) from error
