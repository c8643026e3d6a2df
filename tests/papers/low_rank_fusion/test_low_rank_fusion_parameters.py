"""Low-rank fusion: parameters, and the settings that are published, drawn or refused."""

import pytest

from lib.data.arrays.lmf_pickles import IEMOCAP, POM
from lib.errors import InputError
from lib.papers.low_rank_fusion import SPACES, TARGETS, Setting, chosen
from lib.papers.low_rank_fusion import study as lmf
from tests.papers.low_rank_fusion.test_low_rank_fusion import SMALL, given


def test_the_draws_are_those_of_the_published_lists_and_repeatable():
    p = given(search_draws=5)
    settings = lmf.drawn(p)
    assert settings == lmf.drawn(p)
    assert settings != lmf.drawn(given(search_draws=5, search_seed=8))
    for setting in settings:
        for name, value in setting.model_dump().items():
            assert value in SPACES["mosi"][name]


def test_the_settings_are_those_of_the_authors():
    assert chosen("iemocap", "happy") == Setting(
        audio_hidden=4, video_hidden=16, text_hidden=128, audio_dropout=0.3, video_dropout=0.1, text_dropout=0.5,
        factor_learning_rate=0.003, learning_rate=0.001, rank=1, batch_size=128, weight_decay=0.002,
    )  # fmt: skip
    assert chosen("pom", "Confident") == chosen("pom", "Persuasive") == chosen("pom", "Passionate")
    for trait in POM.layouts[1]:
        assert chosen("pom", trait).rank in (1, 4, 8, 16)
    with pytest.raises(InputError, match="no published setting for mosi sentiment"):
        chosen("mosi", "sentiment")


def test_targets_are_the_labels_of_the_files():
    assert TARGETS["pom"] == ("all", *POM.layouts[0])
    assert TARGETS["iemocap"] == IEMOCAP.emotions


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": ["happy"]}, "no target 'happy' in mosi_lmf_like; there are: sentiment"),
        ({"setting": None}, "hyperparams.txt has no row for 'sentiment'"),
        ({"search_seed": 1}, "search_seed is among the seeds"),
        ({"samples": 0}, "samples must be positive for a stand-in"),
        ({"ranks": [1, 1]}, "ranks holds a value twice"),
        ({"setting": SMALL | {"rank": 0}}, "key 'setting.rank' = 0"),
        ({"corpus_options": {"fold": "by_seed"}}, "a search knows one fold"),
        ({"dataset": "pom_lmf_like", "targets": ["all", "Vivid"]}, "`all` is one network for every trait"),
        (
            {"dataset": "iemocap_lmf_like", "targets": ["sad"], "setting": None},
            "the search is compared with one setting",
        ),
    ],
)
def test_impossible_parameters_are_refused(changes, message):
    with pytest.raises(InputError, match=r"^test: ") as caught:
        given(**changes)
    assert message in str(caught.value)
