"""The cascade with networks that take brightness for a face, and files of weights that are none."""

import json
import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from lib.data.recordings import face_detection
from lib.data.recordings.mtcnn import Mtcnn, read
from lib.data.recordings.mtcnn_networks import OutputNetwork, ProposalNetwork, RefinementNetwork, load
from lib.data.recordings.raw_decoding import Options, read_image
from lib.data.recordings.raw_layout import read as read_layout
from lib.data.recordings.raw_preprocessing import preprocess
from lib.data.stand_ins import synthetic_raw
from lib.errors import InputError
from tests.data.parts import pinned
from tests.workflow.machines import data_verb as main

NETWORKS = {"pnet": ProposalNetwork, "rnet": RefinementNetwork, "onet": OutputNetwork}


def template(side: int) -> torch.Tensor:
    """Answers 1 where a square that is white within its middle half is black around it."""
    inner = torch.zeros(side, side, dtype=torch.bool)
    inner[side // 4 : side - side // 4, side // 4 : side - side // 4] = True
    return torch.where(inner, 1 / inner.sum(), -1 / (~inner).sum()) / 2


class Proposing:
    """A cell is the more a face, the brighter its middle and the darker its border; every box stays as it is."""

    def __call__(self, pixels):
        likely = F.conv2d(pixels.mean(dim=1, keepdim=True), template(12)[None, None], stride=2)[:, 0]
        return likely, torch.zeros(*likely.shape, 4)


class Judging:
    """As `Proposing` for whole crops; each box moves by `by`, shares of its sides."""

    def __init__(self, side: int, by: tuple[float, ...] = (0, 0, 0, 0)):
        self.side, self.by = side, by

    def __call__(self, pixels):
        assert pixels.shape[1:] == (3, self.side, self.side)
        likely = (pixels.mean(dim=1) * template(self.side)).sum(dim=(1, 2))
        return likely, torch.tensor([self.by]).expand(len(pixels), 4)


def lit(*squares: tuple[int, int, int], size=(120, 160)) -> np.ndarray:
    """A black image with white squares, each the middle of a face twice as large: left, top and side of the face."""
    image = np.zeros((*size, 3), np.uint8)
    for left, top, side in squares:
        image[top + side // 4 : top + side - side // 4, left + side // 4 : left + side - side // 4] = 255
    return image


def cascade(by=(0.0, 0.0, 0.0, 0.0)) -> Mtcnn:
    return Mtcnn(Proposing(), Judging(24), Judging(48, by))


def test_a_face_is_found_where_it_is_and_nothing_in_the_dark():
    found, nothing = cascade().faces(np.stack([lit((60, 20, 60)), lit()]))
    assert (len(found), nothing.shape) == (1, (0, 5))
    left, top, right, bottom, probability = found[0]
    np.testing.assert_allclose([left, top, right, bottom], [60, 20, 120, 80], atol=12)  # steps of 0.709 in scale
    assert right - left == bottom - top and 0.7 < probability <= 1


def test_the_largest_comes_first():
    (found,) = cascade().faces(lit((5, 5, 28), (53, 27, 79), (125, 5, 28))[None])
    sides = found[:, 2] - found[:, 0]
    assert len(found) == 3 and sides[0] > 60 and (sides[1:] < 40).all()
    assert abs(found[0, 0] - 53) < 12 and sorted(found[1:, 0] > 80) == [False, True]


def test_the_last_network_moves_the_box_by_shares_of_its_sides_and_a_pixel():
    image = lit((60, 20, 60))[None]
    (still,), (away,) = cascade().faces(image), cascade((0.5, 0.0, 0.5, 0.25)).faces(image)
    side = still[0, 2] - still[0, 0] + 1
    np.testing.assert_allclose(away[0, :4] - still[0, :4], [side / 2, 0, side / 2, side / 4], rtol=1e-5)


def test_images_side_by_side_are_found_as_alone():
    images = np.stack([lit((20 + 9 * k, 20, 40 + 8 * k)) for k in range(5)])
    for together, image in zip(cascade().faces(images), images, strict=True):
        np.testing.assert_allclose(together, cascade().faces(image[None])[0], rtol=1e-5)


def test_an_image_too_small_for_a_face_has_none():
    assert [faces.shape for faces in cascade().faces(np.full((2, 19, 300, 3), 255, np.uint8))] == [(0, 5), (0, 5)]


def test_the_networks_have_the_published_sizes():
    counts = {name: sum(p.numel() for p in make().parameters()) for name, make in NETWORKS.items()}
    assert counts == {"pnet": 6632, "rnet": 100178, "onet": 389040}
    assert sum(counts.values()) == 495850  # spec end_to_end, 5.5


def test_a_proposal_is_due_for_every_second_pixel_from_cells_of_twelve():
    network = ProposalNetwork()
    for side in (12, 13, 14, 31):
        faces, moves = network(torch.zeros(2, 3, side, side + 2))
        rows = (side - 12 + 1) // 2 + 1
        assert faces.shape == (2, rows, (side + 2 - 12 + 1) // 2 + 1) and moves.shape == (*faces.shape, 4)


@pytest.mark.parametrize("zipped", [True, False])
def test_weights_are_read_in_both_of_torchs_formats(zipped, tmp_path):
    kept = {}
    for name, make in NETWORKS.items():
        kept[name] = make().state_dict()
        torch.save(kept[name], tmp_path / f"{name}.pt", _use_new_zipfile_serialization=zipped)
    found = read(tmp_path)
    for name, network in zip(NETWORKS, (found.propose, found.refine, found.decide), strict=True):
        assert not network.training
        for parameter, value in network.state_dict().items():
            assert torch.equal(value, kept[name][parameter])


class Attack:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def changed(change) -> dict:
    weights = OrderedDict(RefinementNetwork().state_dict())
    change(weights)
    return weights


@pytest.mark.parametrize(
    "weights",
    [
        changed(lambda w: w.pop("conv1.bias")),
        changed(lambda w: w.update(more=torch.zeros(1))),
        changed(lambda w: w.update({"conv1.bias": torch.zeros(27)})),
        changed(lambda w: w.update({"conv1.bias": torch.zeros(28).double()})),
        changed(lambda w: w.update({"conv1.bias": 3})),
        [1, 2],
        torch.zeros(3),
    ],
    ids=["fewer", "more", "narrower", "double", "number", "list", "tensor"],
)
def test_weights_of_another_network_are_refused(weights, tmp_path):
    torch.save(weights, tmp_path / "rnet.pt")
    with pytest.raises(InputError, match=r"rnet\.pt: not the weights of RefinementNetwork"):
        load(RefinementNetwork(), tmp_path / "rnet.pt")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_what_is_no_file_of_weights_is_refused(share, tmp_path):
    path = tmp_path / "rnet.pt"
    torch.save(RefinementNetwork().state_dict(), path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(InputError, match=r"rnet\.pt: not a readable file of weights") as refused:
        load(RefinementNetwork(), path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("write", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_an_attack_is_refused_and_not_run(write, tmp_path):
    write(Attack(tmp_path / "ran"), tmp_path / "rnet.pt")
    with pytest.raises(InputError, match="nothing in it was run"):
        load(RefinementNetwork(), tmp_path / "rnet.pt")
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """A data folder with weights that say no to everything, pinned as they are."""
    (tmp_path / "parts").mkdir()
    for name, make in NETWORKS.items():
        weights = {key: torch.zeros_like(value) for key, value in make().state_dict().items()}
        torch.save(weights, tmp_path / f"parts/{name}.pt")
    part = pinned("mtcnn", tmp_path, [f"parts/{name}.pt" for name in NETWORKS])
    monkeypatch.setitem(face_detection.PARTS, "mtcnn", part)
    return tmp_path


def test_the_detector_reads_the_pinned_weights_of_a_data_folder(stored):
    detector = face_detection.mtcnn.below(stored)
    sizes = [(60, 80), (60, 80), (50, 50), (60, 80)]
    assert detector.of_images([np.zeros((*size, 3), np.uint8) for size in sizes]) == [None] * 4
    record = face_detection.describe("lib.data.recordings.face_detection:mtcnn", stored)
    assert record["is_mtcnn"] is True and set(record["weights_sha256"]) == {"pnet.pt", "rnet.pt", "onet.pt"}


def test_crops_of_other_weights_are_made_anew(stored, tmp_path, monkeypatch):
    synthetic_raw.write("mosei", tmp_path / "raw", {"train": 1, "valid": 1, "test": 1}, frames=2)
    options, made = Options(detector="lib.data.recordings.face_detection:mtcnn"), []

    def prepare() -> None:
        preprocess(
            "mosei", tmp_path / "raw", tmp_path / "out", options, root=stored, watch=lambda o: made.append(o.made)
        )

    prepare()
    prepare()
    weights = {key: torch.full_like(value, 1e-6) for key, value in RefinementNetwork().state_dict().items()}
    torch.save(weights, tmp_path / "parts/rnet.pt")
    part = pinned("mtcnn", tmp_path, [f"parts/{name}.pt" for name in NETWORKS])
    monkeypatch.setitem(face_detection.PARTS, "mtcnn", part)
    prepare()
    assert made == [True] * 3 + [False] * 3 + [True] * 3


def test_damaged_or_missing_weights_are_told_before_anything_is_decoded(stored, tmp_path):
    weights = stored / "parts/onet.pt"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"onet\.pt: holds \d+ bytes, expected \d+; \./run_all\.sh data get mtcnn"):
        face_detection.describe("lib.data.recordings.face_detection:mtcnn", stored)
    weights.unlink()
    with pytest.raises(InputError, match=r"onet\.pt: is missing; \./run_all\.sh data get mtcnn"):
        face_detection.mtcnn.below(stored)(np.zeros((50, 50, 3), np.uint8))


def test_where_the_weights_are_they_are_used_unasked_and_what_is_damaged_is_told(stored, tmp_path, capsys):
    synthetic_raw.write("mosei", tmp_path / "raw", {"train": 1, "valid": 1, "test": 1}, frames=90)
    (item,) = read_layout("mosei", tmp_path / "raw").splits["train"]
    (item.folder / "image_15.jpg").write_bytes(b"no image")
    arguments = ["preprocess", "mosei", "--raw", str(tmp_path / "raw"), "--root", str(stored)]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "faces: 0 detected by mtcnn, 0 ready, 17 by the crop rule" in said
    assert "replaced: 1 x not a readable JPEG image" in said
    prepared = json.loads((stored / "mme2e_prepared/mosei/prepared.json").read_text())
    assert prepared["face_detection"]["is_mtcnn"] is True
    assert [problem["id"] for problem in prepared["problems"]] == [item.id]
    (stored / "parts/pnet.pt").unlink()
    assert main(arguments) == 2
    assert "pnet.pt: is missing; ./run_all.sh data get mtcnn" in capsys.readouterr().err


def test_a_picture_larger_than_a_frame_of_video_is_not_searched(tmp_path):
    Image.new("RGB", (9000, 4000)).save(tmp_path / "a.jpg")
    with pytest.raises(InputError, match=r"a\.jpg: 9000 x 4000 pixels, no frame of a video"):
        read_image(tmp_path / "a.jpg", "iemocap")
