"""Rectangles as MTCNN uses them: which of those that overlap remain, squares around them, and pixels cut out of images.

A box is left, top, right, bottom in pixels, float32. The released detectors descend from code that counts pixels from
one and includes both ends; where that decides what comes out it is said here.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float, Int, UInt8

Boxes = Float[np.ndarray, "boxes 4"]


def pyramid(height: int, width: int, *, smallest: int, cell: int, factor: float) -> list[float]:
    """Scales at which a cell sees faces of `smallest` pixels and, step by step, larger ones up to the whole image."""
    scale = cell / smallest
    scales, side = [], min(height, width) * scale
    while side >= cell:
        scales.append(scale)
        scale, side = scale * factor, side * factor
    return scales


def strongest(
    boxes: Boxes,
    scores: Float[np.ndarray, " boxes"],
    most: float,
    share: Literal["of_both", "of_the_smaller"] = "of_both",
) -> Int[np.ndarray, " kept"]:
    """Which boxes remain, in falling order of their scores, when none may share more than `most` with a stronger one.

    What two boxes share is measured against what both cover together, or, with pixels counted at both ends, against the
    smaller one. Of equal scores (many are exactly one) the first counts, against the smaller one the last: so it is in
    the package that the end-to-end paper uses, and faces can be nine pixels apart.
    """
    more = np.float32(share == "of_the_smaller")
    order = np.argsort(-scores, kind="stable") if not more else np.argsort(scores, kind="stable")[::-1]
    kept = []
    areas = (boxes[:, 2] - boxes[:, 0] + more) * (boxes[:, 3] - boxes[:, 1] + more)
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        sides = np.minimum(boxes[best, 2:], boxes[rest, 2:]) - np.maximum(boxes[best, :2], boxes[rest, :2]) + more
        shared = np.maximum(sides, 0).prod(axis=1)
        smaller = share == "of_the_smaller"
        whole = np.minimum(areas[best], areas[rest]) if smaller else areas[best] + areas[rest] - shared
        order = rest[shared <= np.float32(most) * whole]
    return np.array(kept, np.int64)


def moved(boxes: Boxes, moves: Float[np.ndarray, "boxes 4"], *, unit: int = 0) -> Boxes:
    """Each edge moved by its share of the box's width or height, to which `unit` pixels are added."""
    sides = boxes[:, 2:] - boxes[:, :2] + np.float32(unit)
    return boxes + moves * np.concatenate([sides, sides], axis=1)


def squared(boxes: Boxes) -> Boxes:
    """Squares with the same middle, as large as the longer side."""
    sides = boxes[:, 2:] - boxes[:, :2]
    longer = sides.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + sides * np.float32(0.5) - longer * np.float32(0.5)
    return np.concatenate([corner, corner + longer], axis=1)


class Integral:
    """Images whose sums over any rectangle cost four look-ups, so that crops of all sizes are resized at once."""

    def __init__(self, images: UInt8[np.ndarray, "frames height width 3"]):
        frames, self.height, self.width, _ = images.shape
        whole = np.int32 if self.height * self.width <= np.iinfo(np.int32).max // 255 else np.int64
        self._sums = np.zeros((frames, self.height + 1, self.width + 1, 3), whole)
        images.cumsum(axis=1, dtype=whole).cumsum(axis=2, out=self._sums[:, 1:, 1:])

    def inside(self, boxes: Boxes) -> Int[np.ndarray, "boxes 4"]:
        """First and last but one pixel of each box in the image; counted from one, as in the released detectors.

        A box that lies outside holds no pixel: its end is not behind its start.
        """
        places = boxes.astype(np.int64)  # towards zero
        first = np.maximum(places[:, :2], 1) - 1
        return np.concatenate([first, np.minimum(places[:, 2:], (self.width, self.height))], axis=1)

    def crops(
        self, frames: Int[np.ndarray, " boxes"], places: Int[np.ndarray, "boxes 4"], side: int
    ) -> Float[np.ndarray, "boxes 3 side side"]:
        """Means of the pixels that each of `side` x `side` places of a crop covers, at least one; float32, 0 to 255."""
        (first, last), (left, right) = (_windows(places[:, k], places[:, k + 2], side) for k in (1, 0))
        at = frames[:, None, None]
        sums = (
            self._sums[at, last[:, :, None], right[:, None, :]] - self._sums[at, first[:, :, None], right[:, None, :]]
        )
        sums -= self._sums[at, last[:, :, None], left[:, None, :]] - self._sums[at, first[:, :, None], left[:, None, :]]
        counts = (last - first)[:, :, None] * (right - left)[:, None, :]
        return np.ascontiguousarray((sums / counts[..., None]).astype(np.float32).transpose(0, 3, 1, 2))


def _windows(starts: np.ndarray, ends: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the pixels of each of `count` equal parts of a stretch begin and end; parts share what lies in both."""
    lengths, parts = (ends - starts)[:, None], np.arange(count)
    return starts[:, None] + parts * lengths // count, starts[:, None] - (-(parts + 1) * lengths // count)
