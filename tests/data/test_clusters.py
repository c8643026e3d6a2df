"""Which samples form a unit, from the ids that the readers make."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lib.data.clusters import SAMPLE, units
from lib.data.corpus import Source, Split
from lib.data.recordings.raw_batches import HashTokenizer, RawBatches

SOURCE = Source("X", False, {}, "", "")


def split_of(ids, **more):
    labels = more.pop("labels", np.zeros(len(ids)))
    return Split(features={}, lengths=np.ones(len(ids), np.int64), labels=labels, ids=tuple(ids), **more)


@pytest.mark.parametrize(
    ("cluster", "ids", "unit", "expected"),
    [
        ("video", ("-6rXp3zJ3kc_3", "-6rXp3zJ3kc_12", "03b_SnI_1"), "video", ("-6rXp3zJ3kc", "-6rXp3zJ3kc", "03b_SnI")),
        ("dialogue", ("test_0_0", "test_0_1", "test_12_0"), "dialogue", ("test_0", "test_0", "test_12")),
        ("dialogue", ("Ses01F_impro01_F00005",), "dialogue", ("Ses01F_impro01",)),
        ("speaker", ("03-01-01-01-01-01-24", "03-01-08-02-02-01-03"), "speaker", ("actor 24", "actor 03")),
        ("speaker", ("1001_DFA_ANG_XX", "1091_TIE_SAD_HI"), "speaker", ("actor 1001", "actor 1091")),
        ("speaker", ("actor 07",), "speaker", ("actor 07",)),
        ("utterance", ("test_0", "test_1"), "utterance", ("test_0", "test_1")),
        ("video", ("test_0", "test_1"), SAMPLE, ("test_0", "test_1")),  # which video is not said
    ],
)
def test_the_unit_of_each_sample(cluster, ids, unit, expected):
    assert units(replace(SOURCE, cluster=cluster), split_of(ids)) == (unit, expected)


def test_the_real_utterances_of_a_conversation_follow_one_another():
    labels = np.array([[2, 0, -1], [1, -1, -1]])
    talk = split_of(["a", "b"], labels=labels, speakers=np.zeros((2, 3), np.int64))
    assert units(replace(SOURCE, cluster="video"), talk) == ("video", ("a", "a", "b"))
    clips = split_of(["03-01-01-01-01-01-05", "03-01-02-01-01-01-05"], labels=labels, speakers=talk.speakers)
    assert units(replace(SOURCE, cluster="speaker"), clips)[1] == ("actor 05",) * 3


def test_units_that_a_split_names_count_and_not_its_ids():
    named = split_of(["a_1", "a_2", "b_1"], groups=("x", "y", "y"))
    assert units(replace(SOURCE, cluster="video"), named) == ("video", ("x", "y", "y"))


@pytest.mark.parametrize(
    ("cluster", "ids", "expected"),
    [
        ("video", ("-3g5yACwYnA_0", "-3g5yACwYnA_1", "-3nNcZdcdvU_0"), ("-3g5yACwYnA", "-3g5yACwYnA", "-3nNcZdcdvU")),
        ("speaker", ("03-01-01-01-01-01-24", "03-01-08-02-02-01-03"), ("actor 24", "actor 03")),
    ],
)
def test_a_streamed_split_is_asked_for_its_ids_alone(cluster, ids, expected):
    split = RawBatches(Path("nowhere"), ids, ids, ids, np.eye(len(ids), dtype=np.float32), HashTokenizer())
    assert units(replace(SOURCE, cluster=cluster), split) == (cluster, expected)
