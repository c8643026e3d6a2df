"""Parameters of the SPCL notebook: what could select nothing, or means nothing, is one clear line."""

from pathlib import Path

import pytest

from lib import papers, params
from lib.data import corpora
from lib.errors import InputError
from lib.papers.self_paced_balance import FAMILIES, SelfPacedBalance

ROOT = Path(__file__).resolve().parents[3]
RUNS = ROOT / "params" / "self_paced_balance"


def quick(**changes) -> SelfPacedBalance:
    values = papers.load(RUNS / "quick.yaml", results="-").model_dump(mode="json")
    return params.check(SelfPacedBalance, values | changes, where="test")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"subsets": ["atv", "t"]},
            "subsets holds 't' beside 'atv': every gain is that of all modalities over all but",
        ),
        ({"subsets": ["at", "av"]}, "subsets holds 'av' beside 'at'"),
        ({"subsets": ["av", "a", "t"]}, "subsets holds 't' beside 'av'"),
        ({"subsets": ["t", "a"]}, "'t' is one modality: self-paced selection compares two or three"),
        ({"subsets": ["av", "a"], "mend_subsets": ["a"]}, "'a' is one modality"),
        ({"subsets": ["atv", "ta"]}, "'ta': Input should be 'atv', 'at', 'tv', 'av', 'a', 't' or 'v'"),
        ({"corpus_options": {"seed": 3}}, "corpus_options holds 'seed', which the run sets by itself"),
        ({"subsets": ["atv", "at", "at"]}, "subsets holds a value twice"),
        ({"subsets": ["atv", "tv"], "mend_subsets": ["at"]}, "mend_subsets holds 'at', which is not among the subsets"),
        ({"mends": []}, "mends and mend_subsets are given together"),
        (
            {"pace": {"threshold": 0, "growth": 1.2}},
            "threshold' = 0: a threshold of 0 or less selects nothing",
        ),
        (
            {"pace": {"threshold": 0.4, "growth": 0.9}},
            "growth' = 0.9: Input should be greater than or equal to 1",
        ),
        ({"pace": "mosi"}, "pace.table' = 'mosi': Input should be 'iemocap' or 'meld'"),
        ({"pace": 0.4}, "pace.pair' = 0.4: Input should be a valid dictionary"),
        ({"seeds": [1, 1]}, "seeds holds a value twice"),
        ({"backbones": {}}, "no backbone is given"),
        ({"split": "official"}, "only MELD has an official development set"),
        ({"samples": 0}, "samples must be positive for a stand-in corpus"),
        ({"dataset": "mosi_conversations"}, "samples must be positive for a stand-in corpus"),
        ({"widths": {"audio": 0, "text": 1, "video": 1}}, "widths.audio' = 0"),
        ({"early_stopping": 0}, "early_stopping' = 0"),
        ({"use_cl": True}, "unknown key 'use_cl'"),
    ],
)
def test_impossible_values(changes, message):
    with pytest.raises(InputError, match=message):
        quick(**changes)


@pytest.mark.parametrize(
    ("backbone", "changes", "message"),
    [
        ("biddin", {"global_size": 15}, "global_size' = 15: Input should be a multiple of 2"),
        ("biddin", {"emotion_size": 7}, "emotion_size' = 7"),
        ("dialogue_gcn", {"past": -1}, "past' = -1: Input should be greater than or equal to 0"),
        ("mmgcn", {"dropout": 1.0}, "dropout' = 1.0"),
        ("mmgcn", {"speakers": 2}, "unknown key 'backbones.mmgcn.speakers'"),
    ],
)
def test_impossible_backbones(backbone, changes, message):
    backbones = quick().model_dump(mode="json")["backbones"]
    with pytest.raises(InputError, match=message):
        quick(backbones=backbones | {backbone: backbones[backbone] | changes})


def test_the_full_grids_are_those_of_the_paper():
    for name, dataset in (("paper", "iemocap"), ("iemocap", "iemocap"), ("meld", "meld")):
        p = papers.load(RUNS / f"{name}.yaml", results="-")
        assert (p.family, p.pace, len(p.seeds)) == (dataset, dataset, 5)
        assert set(p.subsets) == {"atv", "at", "tv", "av"}
        assert {"biddin", "dialogue_gcn", "mm_dfn", "mmgcn"} <= set(p.backbones.chosen())
        assert (
            p.widths
            == {
                "iemocap": {"audio": 512, "text": 768, "video": 1024},
                "meld": {"audio": 300, "text": 768, "video": 342},
            }[dataset]
        ), "spec self_paced_balance, 1.1"


@pytest.mark.parametrize(("name", "joined"), [("ravdess", "single"), ("ravdess_actors", "actor")])
def test_ravdess_is_tested_in_every_fold_with_the_defaults_of_the_script(name, joined):
    p = papers.load(RUNS / f"{name}.yaml", results="-")
    assert (p.family, p.whole, set(p.subsets)) == ("ravdess", "av", {"av", "a", "v"})
    assert p.corpus_options == {"fold": "by_seed", "dialogues": joined}
    assert {seed % corpora.get(p.dataset).folds for seed in p.seeds} == set(range(8))
    assert (p.pace.threshold, p.pace.growth) == (0.4, 1.25), "spec self_paced_balance, 4.1"


def test_every_conversation_corpus_has_a_family():
    assert set(FAMILIES) == set(corpora.names(form="dialogues"))
