"""A corpus that is tested in turns: which seed gets which fold."""

import pytest

from lib.errors import InputError
from lib.study import in_turns


def test_without_the_word_every_seed_asks_one_corpus():
    asked = []
    found = in_turns("ravdess", {"fold": 3}, (0, 1), lambda options: asked.append(options) or len(asked))
    assert found == {0: 1, 1: 1}
    assert asked == [{"fold": 3}]


def test_each_seed_gets_the_fold_of_its_number_and_each_fold_is_read_once():
    asked = []
    options = {"fold": "by_seed", "audio": "sequence"}
    found = in_turns("ravdess", options, (0, 9, 1, 8), lambda o: asked.append(o) or f"fold {o['fold']}")
    assert found == {0: "fold 0", 9: "fold 1", 1: "fold 1", 8: "fold 0"}
    assert asked == [{"fold": 0, "audio": "sequence"}, {"fold": 1, "audio": "sequence"}]


def test_a_corpus_without_folds_refuses_the_word():
    with pytest.raises(InputError, match="no folds"):
        in_turns("mosi", {"fold": "by_seed"}, (0,), lambda options: options)


@pytest.mark.parametrize("name", ["nonfinite", "samples"])
def test_what_every_run_sets_is_no_option(name):
    with pytest.raises(InputError, match=rf"corpus_options: option '{name}' is set by the run; leave it out"):
        in_turns("ravdess", {name: 1}, (0,), lambda options: options)
