"""MTCNN's cascade (Zhang et al. 2016) with the settings of the end-to-end paper's face detector (spec end_to_end, 5.2).

A small network proposes squares at every place and scale, two larger ones look again at what it proposed, and after
each of them boxes are moved, made square and thinned out. Images are taken several at a time.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch.nn import functional as F

from lib.data.recordings.face_boxes import Integral, moved, pyramid, squared, strongest
from lib.data.recordings.mtcnn_networks import (
    PROPOSAL_CELL,
    PROPOSAL_STRIDE,
    OutputNetwork,
    ProposalNetwork,
    RefinementNetwork,
    load,
)

SMALLEST, FACTOR = 20, 0.709
"""Pixels of the smallest face, and each scale as a part of the one before."""
PROPOSED, REFINED, DECIDED = 0.6, 0.7, 0.7
"""Probabilities of a face below which a box is dropped."""
_OVERLAP_WITHIN_SCALE, _OVERLAP = 0.5, 0.7
"""Shares above which the weaker of two boxes is dropped: among proposals of one scale, and everywhere else."""
_AT_ONCE = 256
"""Crops that a network sees together: noise proposes thousands, and memory must not grow with them."""


@dataclass(frozen=True)
class _Found:
    """Boxes of several images: `frames` says of which, `scores` how probable each is a face."""

    frames: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    moves: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> "_Found":
        return _Found(self.frames[rows], self.boxes[rows], self.scores[rows], self.moves[rows])

    def thinned(self, most: float, share: str = "of_both") -> "_Found":
        """What remains of overlapping boxes, image by image."""
        kept = [np.zeros(0, np.int64)]
        for frame in np.unique(self.frames):
            rows = np.flatnonzero(self.frames == frame)
            kept.append(rows[strongest(self.boxes[rows], self.scores[rows], most, share)])
        return self[np.concatenate(kept)]


@dataclass(frozen=True)
class Mtcnn:
    propose: ProposalNetwork
    refine: RefinementNetwork
    decide: OutputNetwork

    @torch.inference_mode()
    def faces(self, images: UInt8[np.ndarray, "frames height width 3"]) -> list[Float[np.ndarray, "faces 5"]]:
        """Left, top, right, bottom (pixels) and probability of the faces in each RGB image, the largest face first."""
        pixels = Integral(images)
        found = self._judged(self._proposals(images), pixels, self.refine, REFINED).thinned(_OVERLAP)
        found = replace(found, boxes=squared(moved(found.boxes, found.moves, unit=1)))
        found = self._judged(found, pixels, self.decide, DECIDED)
        found = replace(found, boxes=moved(found.boxes, found.moves, unit=1)).thinned(_OVERLAP, "of_the_smaller")
        rows = np.column_stack([found.boxes, found.scores])
        areas = (rows[:, 2] - rows[:, 0]) * (rows[:, 3] - rows[:, 1])
        largest_first = np.argsort(-areas, kind="stable")
        return [rows[[row for row in largest_first if found.frames[row] == frame]] for frame in range(len(images))]

    def _proposals(self, images: np.ndarray) -> _Found:
        _, height, width, _ = images.shape
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float()
        found = [_Found(np.zeros(0, np.int64), *(np.zeros((0, *n), np.float32) for n in ((4,), (), (4,))))]
        for scale in pyramid(height, width, smallest=SMALLEST, cell=PROPOSAL_CELL, factor=FACTOR):
            size = int(height * scale + 1), int(width * scale + 1)
            faces, moves = self.propose(_centred(F.interpolate(pixels, size=size, mode="area")))
            at = (faces >= PROPOSED).nonzero(as_tuple=True)
            corner = torch.stack([at[2], at[1]], dim=1).float() * PROPOSAL_STRIDE
            boxes = torch.cat([(corner + 1) / scale, (corner + PROPOSAL_CELL) / scale], dim=1).floor()
            here = _Found(*(x.numpy() for x in (at[0], boxes, faces[at], moves[at])))
            found.append(here.thinned(_OVERLAP_WITHIN_SCALE))
        whole = _Found(*(np.concatenate([getattr(f, name) for f in found]) for name in _Found.__annotations__))
        whole = whole.thinned(_OVERLAP)
        return replace(whole, boxes=squared(moved(whole.boxes, whole.moves)))

    def _judged(self, found: _Found, pixels: Integral, network: Callable, least: float) -> _Found:
        """What a network takes for faces, with the probabilities and moves that it says."""
        places = pixels.inside(found.boxes)
        there = (places[:, :2] < places[:, 2:]).all(axis=1)
        found, places = found[there], places[there]
        scores, moves = [np.zeros(0, np.float32)], [np.zeros((0, 4), np.float32)]
        for start in range(0, len(places), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            crops = torch.from_numpy(pixels.crops(found.frames[part], places[part], network.side))
            for told, answers in zip(network(_centred(crops)), (scores, moves), strict=True):
                answers.append(told.numpy())
        judged = _Found(found.frames, found.boxes, np.concatenate(scores), np.concatenate(moves))
        return judged[judged.scores > least]


def read(folder: Path) -> Mtcnn:
    """The released networks: `pnet.pt`, `rnet.pt` and `onet.pt`. Raises InputError for files that are not theirs."""
    networks = {"pnet": ProposalNetwork(), "rnet": RefinementNetwork(), "onet": OutputNetwork()}
    return Mtcnn(*(load(network, Path(folder) / f"{name}.pt") for name, network in networks.items()))


def _centred(pixels: torch.Tensor) -> torch.Tensor:
    """From 0...255 to -1...1, as in training, in the memory that the pixels have."""
    return pixels.sub_(127.5).div_(128)
