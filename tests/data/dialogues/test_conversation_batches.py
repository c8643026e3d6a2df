"""Dialogues in memory: splits, orders, padded batches, refusals."""

import random

import numpy as np
import pytest
import torch

from lib.data.batches import Conversations
from lib.data.corpus import Split
from lib.data.dialogues.conversation_batches import (
    Dialogue,
    conversation_split,
    dev_split,
    iemocap_speakers,
    meld_speakers,
)
from lib.errors import InputError


def dialogue(length: int, name: str = "d", **changes) -> Dialogue:
    rng = np.random.default_rng(length)
    parts = {
        "speakers": rng.integers(0, 2, length),
        "labels": rng.integers(0, 6, length),
        "features": {"text": rng.normal(size=(length, 3)), "audio": rng.normal(size=(length, 2))},
    }
    return Dialogue(name, **parts | changes)


def split(*lengths: int) -> Split:
    return conversation_split([dialogue(length, str(i)) for i, length in enumerate(lengths)])


def test_split_pads_behind_and_marks_the_padding():
    found = split(2, 4)
    assert found.features["text"].shape == (2, 4, 3)
    assert found.features["text"].dtype == np.float32
    assert (found.features["text"][0, 2:] == 0).all()
    assert found.labels[0, 2:].tolist() == found.speakers[0, 2:].tolist() == [-1, -1]
    assert found.lengths.tolist() == [2, 4]
    assert found.ids == ("0", "1")


def test_batch_is_cropped_to_its_longest_dialogue_in_the_given_order():
    whole = split(2, 4, 3)
    found = Conversations.of(whole).take(np.array([2, 0]))
    assert len(found) == 2
    assert found.lengths.tolist() == [3, 2]
    assert found.features["text"].shape == (2, 3, 3)
    np.testing.assert_array_equal(found.features["audio"][1], whole.features["audio"][0, :3])
    assert found.targets.tolist() == [*whole.labels[2, :3], *whole.labels[0, :2]]
    assert found.speakers.tolist() == [whole.speakers[2, :3].tolist(), [*whole.speakers[0, :2], 0]]


def test_a_selection_by_index_does_not_share_memory_with_the_split():
    whole = split(2, 4)
    conversations = Conversations.of(whole)
    conversations.take(np.array([0])).features["text"].fill_(9.0)
    assert torch.equal(conversations.features["text"], torch.from_numpy(whole.features["text"]))


def test_consecutive_dialogues_and_one_modality():
    conversations = Conversations.of(split(2, 4, 3))
    found = conversations.only(["audio"]).take(slice(1, 3))
    assert list(found.inputs["features"]) == ["audio"]
    assert torch.equal(found.inputs["features"]["audio"], conversations.features["audio"][1:3])
    assert found.inputs["lengths"].tolist() == [4, 3]


def test_development_takes_the_first_tenth():
    names = [f"d{i}" for i in range(25)]
    assert dev_split(names, None) == (names[2:], names[:2])
    train, dev = dev_split(names, random.Random(12))
    assert sorted(train + dev) == sorted(names)
    assert len(dev) == 2
    assert dev_split(names, random.Random(12)) == (train, dev)
    assert dev_split(names, random.Random(13)) != (train, dev)


def test_speaker_ids():
    assert iemocap_speakers(["M", "F", "M"]).tolist() == [0, 1, 0]
    assert meld_speakers([0, 8, 7, 3]).tolist() == [0, 7, 7, 3]
    with pytest.raises(InputError, match="unknown speaker 'X'"):
        iemocap_speakers(["M", "X"])


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (dialogue(0, "empty"), "dialogue empty: no utterances"),
        (dialogue(2, "x", speakers=np.zeros(3, int)), "2 labels but 3 speakers"),
        (dialogue(2, "x", features={"text": np.zeros((2, 3))}), "modalities"),
        (dialogue(2, "x", features={"text": np.zeros((2, 3)), "audio": np.zeros((1, 2))}), "audio features have"),
        (dialogue(2, "x", features={"text": np.zeros((2, 4)), "audio": np.zeros((2, 2))}), "text features have"),
    ],
)
def test_unusable_dialogues_are_refused(broken, message):
    with pytest.raises(InputError, match=message):
        conversation_split([dialogue(3), broken])


def test_no_dialogues_and_no_speakers_are_refused():
    with pytest.raises(InputError, match="no dialogues"):
        conversation_split([])
    whole = split(2)
    with pytest.raises(InputError, match="no speakers"):
        Conversations.of(Split(whole.features, whole.lengths, whole.labels, whole.ids))
