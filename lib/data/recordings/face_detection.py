"""Face detectors for `data preprocess --detector lib.data.recordings.face_detection:<name>`.

`mtcnn` is the reference's detector: its released weights (`./run_all.sh data get mtcnn`) in networks of this library,
since the package that ships them demands torchvision and an older torch (spec end_to_end, 11). The others stand in for
it, so their crops differ from the reference's; what was prepared says which was used. `haar` is OpenCV's frontal
cascade of Haar features, whose weights come with its wheel: fast, but it misses turned faces and sees some where there
are none. `yunet` is a small network of much higher recall; the file `face_detection_yunet_2023mar.onnx` of
github.com/opencv/opencv_zoo must lie where `REPRISE_YUNET` says.

As in the reference, the largest face counts and none below 20 pixels.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from lib.data import data_root
from lib.data.io.impostors import refuse
from lib.data.pretrained import PARTS
from lib.data.recordings.mtcnn import Mtcnn, read
from lib.errors import InputError
from lib.files import sha256_file

SMALLEST = 20
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class StoredMtcnn:
    """MTCNN with the weights in a data folder (None: see `data_root`), which are read when the first image comes."""

    root: Path | None = None

    def below(self, root: Path) -> "StoredMtcnn":
        return replace(self, root=root)

    def __call__(self, image: np.ndarray) -> Box | None:
        """As `haar`. Raises InputError for missing or damaged weights."""
        return self.of_images([image])[0]

    def of_images(self, images: Sequence[np.ndarray]) -> list[Box | None]:
        """The face in each image; neighbours of one size are searched together."""
        network, boxes = _mtcnn(_stored(self.root)), []
        for _, same in groupby(images, key=np.shape):
            boxes += [
                tuple(map(float, faces[0, :4])) if len(faces) else None for faces in network.faces(np.stack([*same]))
            ]
        return boxes


mtcnn = StoredMtcnn()


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


def describe(name: str, root: Path | None = None) -> dict[str, object]:
    """What a record of the preparation says about the detector `module:function`; another one, something else.

    Raises InputError for one of these whose weights are missing or unusable.
    """
    facts: dict[str, object] = {"detector": name, "is_mtcnn": False}
    if not name.startswith(f"{__name__}:"):
        note = "a detector from outside this library; weights of it, if any, are not compared"
        return facts | {"is_mtcnn": None, "note": note, "source_sha256": _sources(name)}
    if name.endswith(":mtcnn"):
        part = PARTS["mtcnn"]
        _mtcnn(_stored(root))  # told now rather than at every image
        hashes = {Path(path).name: sha256 for path, sha256 in part.hashes().items()}
        note = f"the reference's detector: weights of {part.package} {part.version} in this library's networks"
        return {"detector": name, "is_mtcnn": True, "note": note, "weights_sha256": hashes}
    facts |= {"note": "not the reference's MTCNN, so its crops differ", "opencv": cv2.__version__}
    if not name.endswith(":yunet"):
        return facts | {"weights_sha256": sha256_file(_haar_file())}
    _network(str(_weights()))
    return facts | {"weights_sha256": sha256_file(_weights())}


def _sources(name: str) -> dict[str, str]:
    """Hashes of the file of the module that is named, and of the one that the function comes from."""
    named, _, function = name.partition(":")
    origin = getattr(getattr(import_module(named), function), "__module__", None)
    files = {module: getattr(sys.modules.get(module), "__file__", None) for module in (named, origin) if module}
    return {module: sha256_file(Path(file)) for module, file in files.items() if file}


def _largest(boxes: list[Box]) -> Box | None:
    box = max(boxes, key=lambda b: (b[2] - b[0]) * (b[3] - b[1]), default=None)
    return box and tuple(float(place) for place in box)


def _stored(root: Path | None) -> Path:
    """The folder of MTCNN's weights, which are the pinned ones."""
    return PARTS["mtcnn"].paths(data_root(root))["pnet.pt"].parent


@lru_cache(maxsize=1)
def _mtcnn(folder: Path) -> Mtcnn:
    return read(folder)


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
