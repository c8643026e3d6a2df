"""Parameters of the end-to-end notebook: the README's commands, and what cannot be run is one clear line."""

from pathlib import Path

import pytest

from lib import papers, params
from lib.errors import InputError
from lib.papers.end_to_end import EndToEnd

ROOT = Path(__file__).resolve().parents[3]
RUNS = ROOT / "params" / "end_to_end_sparse"
COMMANDS = {
    "mme2e": (5e-5, 40, 8, 6, None),
    "mme2e_sparse": (5e-5, 40, 2, 6, None),
    "lf_rnn": (5e-4, 60, 32, 8, 2.0),
    "lf_transformer": (5e-4, 60, 32, 8, 2.0),
}


def load(name: str) -> EndToEnd:
    return papers.load(RUNS / f"{name}.yaml", results="-")


def quick(**changes) -> EndToEnd:
    return params.check(EndToEnd, load("quick").model_dump(mode="json") | changes, where="test")


@pytest.mark.parametrize("model", COMMANDS)
def test_each_of_the_readmes_commands_is_a_file(model):
    """Spec end_to_end, section 8."""
    p = load(f"readme_{model}")
    assert {name: tuple(s.model_dump().values()) for name, s in p.models.chosen().items()} == {model: COMMANDS[model]}
    assert (p.dataset, p.seeds, p.modalities) == ("iemocap_raw", (0,), ("text", "audio", "video"))
    assert (p.annealed, p.interval_ms, p.frame_count, p.crop_columns) == (False, 500, "reference", "reference")
    if model.startswith("mme2e"):
        assert (p.encoder.width, p.encoder.layers, p.encoder.heads) == (64, 4, 4)
        assert (p.text_lr_factor, p.text_max_len, p.text_encoder.folder) == (10, 100, "albert-base-v2")
    if model == "mme2e_sparse":
        assert p.threshold == 0.8
    if model == "lf_transformer":
        assert p.baseline_layers == 2


def test_the_papers_grid_is_that_of_the_commands():
    for name in ("paper", "iemocap"):
        assert {m: tuple(s.model_dump().values()) for m, s in load(name).models.chosen().items()} == COMMANDS
    assert load("paper").threshold == load("iemocap").threshold == 0.7
    assert load("mosei").threshold == 0.5
    assert {m: tuple(s.model_dump().values()) for m, s in load("mosei").models.chosen().items()} == COMMANDS


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"thresholds": [0.0]}, "thresholds.0' = 0.0: Input should be greater than 0"),
        ({"threshold": 1.1}, "threshold' = 1.1: Input should be less than or equal to 1"),
        ({"thresholds": [0.3, 0.3]}, "thresholds holds a value twice"),
        ({"seeds": []}, "seeds"),
        ({"samples": None}, "samples is given for a stand-in corpus"),
        ({"dataset": "iemocap_raw"}, "samples is given for a stand-in corpus"),
        ({"models": {}}, "no model is given"),
        ({"models": {"mme2e": None, "lf_rnn": None}}, "no model is given"),
        ({"modalities": ["audio", "video"]}, "the sparse model needs text to select sites"),
        ({"dataset": "mosei_raw_like"}, "the CMU-MOSEI stand-in has no hand-crafted features"),
        ({"interval_ms": 33}, "interval_ms' = 33: Input should be greater than or equal to 34"),
        ({"precision": "float64"}, "precision' = 'float64'"),
        ({"sparse_threshold": 0.5}, "unknown key 'sparse_threshold'"),
    ],
)
def test_impossible_values(changes, message):
    with pytest.raises(InputError) as caught:
        quick(**changes)
    assert message in str(caught.value)


RAVDESS = {"dataset": "ravdess_raw", "samples": None, "modalities": ["text", "audio"]}
SETTING = {"learning_rate": 0.01, "epochs": 1, "batch_size": 8, "early_stop": 5}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "ravdess_raw has no hand-crafted features: leave the baselines out"),
        ({"modalities": ["text", "audio", "video"]}, "ravdess_raw has no images: leave video out of modalities"),
        ({"models": {"mme2e": SETTING}, "thresholds": [], "changes": [], "alone": ["video"]}, "alone: some of several"),
    ],
)
def test_what_a_corpus_of_sound_lacks(changes, message):
    with pytest.raises(InputError, match=message):
        quick(**RAVDESS | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"corpus_options": {"fold": 1}}, "iemocap_raw_like has no corpus_options"),
        ({"modalities": ["text"], "alone": ["text"]}, "alone: some of several modalities"),
        ({"alone": ["text", "text"]}, "alone holds a value twice"),
    ],
)
def test_options_that_nothing_reads(changes, message):
    with pytest.raises(InputError, match=message):
        quick(**changes)


def test_changes_need_the_sparse_model():
    dense = {"mme2e": load("quick").models.mme2e.model_dump()}
    with pytest.raises(InputError, match="thresholds and changes are the sparse model's"):
        quick(models=dense)
    assert quick(models=dense, thresholds=[], changes=[], modalities=["video"]).modalities == ("video",)


def test_heads_divide_their_widths():
    encoder = load("quick").encoder.model_dump() | {"heads": 5}
    with pytest.raises(InputError, match="the heads of encoder must divide its width"):
        quick(encoder=encoder)
    text = load("quick").text_encoder.model_dump() | {"heads": 3}
    with pytest.raises(InputError, match="the heads of text_encoder must divide its hidden_size"):
        quick(text_encoder=text)


def test_the_flag_table_names_every_parameter():
    text = (ROOT / "docs" / "end_to_end_sparse_flags.md").read_text(encoding="utf-8")
    own = set(EndToEnd.model_fields) - {"results", "cores"}
    assert {name for name in own if f"`{name}`" not in text and f"`{name}:" not in text} == set()


FLAGS = [
    *("-bs", "-lr", "-wd", "-ep", "-es", "-cu", "-cl", "-sc", "-se", "--loss", "--optim", "--text-lr-factor", "-mo"),
    *("--text-model-size", "--fusion", "--feature-dim", "-st", "-hfcs", "--trans-dim", "--trans-nlayers"),
    *("--trans-nheads", "-aft", "--num-emotions", "--img-interval", "--hand-crafted", "--text-max-len", "--datapath"),
    *("--dataset", "-mod", "--valid", "--test", "--ckpt", "--ckpt-mod", "-dr", "-nl", "-hs", "-bi", "--gru"),
]


@pytest.mark.parametrize("flag", FLAGS)
def test_the_flag_table_holds_every_flag_of_the_script(flag):
    """Spec end_to_end, section 8."""
    assert f"`{flag}`" in (ROOT / "docs" / "end_to_end_sparse_flags.md").read_text(encoding="utf-8")
