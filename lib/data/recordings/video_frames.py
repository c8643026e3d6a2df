"""Frames of a video file one after another, so that one is in memory at a time; decoded by OpenCV's FFmpeg."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import cv2
import numpy as np

from lib.data.io.impostors import CUT_SHORT, refuse
from lib.errors import InputError


class Video(AbstractContextManager):
    """Iterating yields frames `(height, width, 3)` uint8, blue first, up to the end or the first undecodable frame.

    `rate` is in frames per second; `announced` frames are said to be there, which need not be true. Raises InputError
    for a file that is no video. A file is decoded by one thread: several files at a time keep the cores busy.
    """

    def __init__(self, path: Path):
        refuse(path)
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        self.rate = self._capture.get(cv2.CAP_PROP_FPS) if self._capture.isOpened() else 0.0
        self.announced = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        if not 1 <= self.rate <= 1000:
            self._capture.release()
            raise InputError("not a readable video", where=path, todo=CUT_SHORT)

    def __iter__(self) -> Iterator[np.ndarray]:
        while True:
            decoded, frame = self._capture.read()
            if not decoded:
                return
            yield frame

    def skip(self) -> bool:
        """Pass over a frame without converting it; false at the end."""
        return self._capture.grab()

    def __exit__(self, *_: object) -> None:
        self._capture.release()
