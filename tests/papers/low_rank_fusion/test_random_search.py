"""The search space of the LMF scripts, and its seeded draws."""

from collections import Counter
from itertools import islice

from lib.papers.low_rank_fusion import SPACES, draws, search_settings, total_settings


def test_totals():
    totals = {name: total_settings(space) for name, space in SPACES.items()}
    regression, classes = 8_957_952, 7_464_960
    assert totals == {
        "mosi": regression,
        "pom": regression,
        "iemocap": classes,
        "ravdess": classes,
        "own regression": regression,
        "own classes": classes,
    }


def test_every_value_is_drawn_about_equally_often():
    space = SPACES["iemocap"]
    drawn = list(islice(draws(space, 3), 3000))
    for name, values in space.items():
        shares = Counter(setting[name] for setting in drawn)
        assert set(shares) == set(values)
        expected = 3000 / len(values)
        assert all(abs(count - expected) < 5 * expected**0.5 for count in shares.values()), name


def test_a_repeated_setting_costs_its_iteration():
    space = {"rank": (1, 4), "batch_size": (8, 16)}
    first = list(islice(draws(space, 0), 12))
    settings = search_settings(space, 0, 12)
    assert len(settings) == 4 == total_settings(space)
    assert [setting for i, setting in enumerate(first) if setting not in first[:i]] == settings


def test_a_longer_search_begins_with_the_shorter_one():
    longer = search_settings(SPACES["mosi"], 5, 40)
    assert len(longer) == 40
    assert search_settings(SPACES["mosi"], 5, 10) == longer[:10]
    assert search_settings(SPACES["mosi"], 6, 10) != longer[:10]
