"""The bench's parameters: what is refused in one line, and what of a run they decide."""

import pytest

from lib import data
from lib.data.pretrained import PARTS
from lib.errors import InputError
from lib.model_file import ModelFile, named_in
from lib.papers.bench import CORPORA, DROPOUT, Bench
from lib.papers.bench.catalogue import MODELS
from lib.reporting.verdicts import margin
from tests.papers.bench.bench_runs import GIVEN, STRATEGIES, given

OWN = GIVEN["of_corpus"]
WORDS = {"samples": 0, "datasets": ["mosi_words"], "of_corpus": {}}


def test_every_corpus_is_known_to_the_loader():
    for name in CORPORA:
        data.reader_module(name)
    assert not any(name.endswith("_raw") for name in CORPORA)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"datasets": ["imdb"]}, "key 'datasets.0' = 'imdb': Input should be 'iemocap_like'"),
        ({"datasets": ["iemocap_like", "iemocap_like"], "of_corpus": {}}, "datasets holds a value twice"),
        ({"datasets": ["iemocap_like", "ravdess"], "of_corpus": {}}, "mixes real corpora and stand-ins"),
        ({"of_corpus": {"mosi_like": {"epochs": 3}}}, "of_corpus names mosi_like, which is not among the datasets"),
        ({"samples": 0}, "samples must be positive for stand-ins"),
        ({"datasets": ["ravdess"], "of_corpus": {}}, "samples must be positive for stand-ins (..._like) and 0 for"),
        (WORDS, "mosi_words has words by number"),
        ({"models": [{"model": "bert", "hidden": 4}]}, "no model 'bert'; there are ef_lstm, bi_ef_lstm, mfn, lmf"),
        ({"models": [{"model": "mine.py"}]}, "biddin, and yours by path/to/file.py:Class"),
        ({"models": [{"model": "mine.py:Mine.py"}]}, "no model 'mine.py:Mine.py'"),
        ({"models": [{"model": "mine.py:Mine", "hidden": 4}]}, "is your own: give hidden among its options"),
        ({"models": [{"model": "mine.py:Mine", "dropout": 0.1}]}, "is your own: give dropout among its options"),
        ({"models": [{"model": "a.py:Mine"}, {"model": "b.py:Mine"}]}, "models holds 'Mine' twice: give a title"),
        ({"models": [{"model": "lmf"}]}, "lmf needs hidden, the width of its layers"),
        ({"models": []}, "key 'models' = []"),
        ({"models": [{"model": "lmf", "hidden": 5}]}, "Input should be a multiple of 2"),
        ({"models": [{"model": "lmf", "hidden": 4}] * 2}, "models holds 'LMF' twice: give a title"),
        (
            {"models": [{"model": "lmf", "hidden": 4, "options": {"heads": 2}}]},
            "lmf has no option 'heads'; it has rank, rank_sum, batch_norm_init",
        ),
        ({"strategies": [STRATEGIES[0]] * 2}, "strategies holds 'modality dropout 0.5' twice"),
        ({"strategies": [{"strategy": "curriculum"}]}, "does not match any of the expected tags"),
        ({"strategies": [{"strategy": "modality_dropout", "rate": 1.5}]}, "less than or equal to 1"),
        ({"strategies": [{"strategy": "ogm_ge", "alpha": -1}]}, "greater than or equal to 0"),
        ({"strategies": [{"strategy": "self_paced", "threshold": 0, "growth": 2}]}, "selects nothing"),
        ({"optimisers": {"adam": 0.01}}, "ogm_ge needs sgd among the optimisers"),
        ({"optimisers": {}}, "key 'optimisers' = {}"),
        ({"optimisers": {"lion": 0.01}}, "key 'optimisers.lion"),
        ({"optimisers": {"sgd": 0}}, "greater than 0"),
        ({"seeds": [1, 1]}, "seeds holds a value twice"),
        ({"seeds": "auto"}, "most_seeds must be positive with seeds: auto"),
        ({"margins": {"score": 0}}, "greater than 0"),
        ({"epoch": 3}, "unknown key 'epoch'; did you mean 'epochs'?"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(changes, message):
    with pytest.raises(InputError) as caught:
        given(**changes)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_corpus_has_the_runs_settings_unless_it_has_its_own():
    p = given()
    assert (p.samples_of("iemocap_like"), p.samples_of("iemocap_conversations_like")) == (60, 24)
    assert p.corpora() == ("iemocap_like", "iemocap_conversations_like")


def test_planned_seeds_are_whole_turns_of_the_corpus_with_folds():
    folds = {"ravdess": {"options": {"fold": "by_seed"}}}
    real = {"samples": 0, "datasets": ["ravdess", "mmmo"], "of_corpus": folds, "seeds": "auto", "most_seeds": 20}
    planned = given(**real)
    assert (planned.turn, len(planned.seeds), len(planned.possible_seeds)) == (8, 8, 16)
    assert given(**real | {"of_corpus": {}}).turn == 1


def test_word_vectors_that_a_run_reads_are_named():
    eea = [{"model": "eea", "hidden": 4, "options": {"vectors": "glove"}}]
    words = {"mosi_words": {"options": {"text": "minilm"}}}
    found = given(samples=0, datasets=["mosi_words"], of_corpus=words, models=eea).further_files()
    assert set(found) == {*PARTS["glove_6b_50d"].hashes(), *PARTS["minilm"].hashes()}
    assert given().further_files() == ()


def test_settings_survive_being_written_and_read():
    """As an exported model's are: what was not given stays not given."""
    own = {"model": "mine.py:Mine", "options": {"vectors": "mine.txt"}}
    p = given(models=[{"model": "lmf", "hidden": 4}, own])
    assert [entry.dropout for entry in p.models] == [DROPOUT, None]
    assert Bench.model_validate(p.model_dump(mode="json")) == p
    assert p.further_files() == ()  # `vectors` of your own model are whatever it says


def test_a_model_by_its_file_is_known_without_running_it(tmp_path):
    marker, path = tmp_path / "was run", tmp_path / "mine.py"
    path.write_text(f"open({str(marker)!r}, 'w')\n\n\nclass Mine:\n    pass\n")
    p = given(models=[{"model": f"{path}:Mine"}, {"model": "lmf", "hidden": 4}])
    assert [entry.name for entry in p.models] == ["Mine", "LMF"]
    assert named_in(p) == (ModelFile(str(path), "Mine"),)
    assert not marker.exists()


def test_usual_margins_are_those_of_all_other_tables():
    margins = given().margins
    assert (margins.score, margins.error) == (margin("acc"), margin("mae"))


def test_names_tell_settings_apart():
    again = {"strategy": "modality_dropout", "rate": 0.5, "dropped": ["audio", "video"]}
    named = [s.name for s in given(strategies=[*STRATEGIES, again]).strategies]
    assert named == [
        "modality dropout 0.5",
        "SPCL 0.4 x 1.5",
        "OGM-GE 0.5",
        "unimodal losses 0.5",
        "modality dropout 0.5 of audio and video",
    ]
    assert len({about.title for about in MODELS.values()}) == len(MODELS)
