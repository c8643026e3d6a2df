"""Exported folders from a stranger's hand: one line, nothing is run, nothing large is made."""

import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lib import papers
from lib.errors import InputError
from lib.export import about as description
from lib.export.about import ABOUT, WEIGHTS, sha256_ordered
from lib.export.corpora import by_name
from lib.export.loading import load_trained
from lib.params import Parameters


@pytest.fixture
def folder(exported, tmp_path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "model"))


def told(folder: Path) -> dict:
    return json.loads((folder / ABOUT).read_text())


def rewrite(folder: Path, **changes: object) -> None:
    """Other values in `model.json`; keys may be dotted. Changed arguments get their hash, as a forger would do it."""
    values = told(folder)
    for key, value in changes.items():
        *path, last = key.split("__")
        place = values
        for part in path:
            place = place[part]
        place[last] = value
    values["network"]["arguments_sha256"] = sha256_ordered(values["network"]["arguments"])
    (folder / ABOUT).write_text(json.dumps(values))


def refused(folder: Path, said: str) -> None:
    with pytest.raises(InputError, match=said) as refusal:
        load_trained(folder)
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 1000


@pytest.mark.parametrize(
    "name",
    ["os:system", "../../etc:Passwd", "ef_lstm:torch", "ef_lstm:Dropout", "kernels:Tally", "kernels.build:main",
     "ef_lstm:early_fusion", "nothing_there:Model", "own:OwnModel", "own:OwnModelOfTerms", "own:OwnModelOfEncoders",
     "mfn", ":",
     "albert:__import__", "ef_lstm:BiEFLSTM.forward"],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_is_refused(folder, name):
    rewrite(folder, network__name=name)
    refused(folder, "no network|String should match pattern")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"extra": 1}, "unknown key 'extra'"),
        ({"recipe__shell": "rm"}, "unknown key 'recipe.shell'"),
        ({"recipe__loss": "mine"}, "recipe"),
        ({"recipe__evaluation_batch": -5}, "an evaluation batch of -5"),
        ({"format": 2}, "format"),
        ({"reads": ["text", "smell"]}, "reads"),
        ({"reads": ["text", "text"]}, "a modality twice"),
        ({"reads": []}, "reads"),
        ({"labels": ["a", "a"]}, "a name twice"),
        ({"modalities__text__width": 5}, "means and"),
        ({"modalities__text__width": 10**12}, "less than or equal"),
        ({"modalities__text__steps": 0}, "greater than or equal"),
        ({"network__arguments": {"features": {"text": 3}}}, "no network can be made"),
        ({"network__arguments__code": "import os"}, "no network can be made"),
        ({"network__arguments__hidden": 10**9}, "more than"),
        ({"network__arguments__hidden": 10**6}, "the weight .* is float32"),
        ({"network__arguments__layers": 10**7}, "10000000 layers"),
        ({"network__arguments__layers": "many"}, "no network can be made"),
        ({"network__arguments__hidden": -4}, "no network can be made"),
        ({"network__arguments__hidden": "4"}, "no network can be made"),
        ({"network__encoders": {"text": "nowhere"}}, "encoders names 'nowhere'"),
        ({"scale": {"limits": [0, 1]}}, "scale belongs to a regression"),
        ({"task": "multilabel"}, "0 thresholds"),
        ({"seed": "../../x"}, "seed"),
    ],
)
def test_a_description_that_is_wrong_is_one_line(folder, changes, said):
    rewrite(folder, **changes)
    refused(folder, said)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "JSON|empty"),
        (b"[]", "not the description"),
        (b"{", "JSON"),
        (b"\xff\xfe{}", "JSON"),
        (b"[" * 100_000, "JSON"),
        (b'{"format": NaN}', "no number of JSON"),
        (pickle.dumps({"format": 1}), "JSON"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n", "git-lfs|JSON"),
    ],
)
def test_a_description_that_is_none_is_one_line(folder, content, said):
    (folder / ABOUT).write_bytes(content)
    refused(folder, said)


def test_a_description_without_end_is_not_read(folder):
    with (folder / ABOUT).open("wb") as file:
        file.truncate(2**33)
    refused(folder, "too many for a description")


def test_arguments_in_another_order_are_noticed(folder):
    (folder / ABOUT).write_text(json.dumps(told(folder), sort_keys=True))
    refused(folder, "the arguments, or their order")


def changed_weights(folder: Path, change) -> None:
    weights = load_file(folder / WEIGHTS)
    change(weights)
    save_file(weights, folder / WEIGHTS)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: w.pop("fc1.bias"), "the weights lack fc1.bias"),
        (lambda w: w.update(more=torch.zeros(1)), "the weights hold more"),
        (lambda w: w.update({"fc1.bias": torch.zeros(3)}), r"the weight fc1.bias is float32 \(3,\)"),
        (lambda w: w.update({"fc1.bias": w["fc1.bias"].double()}), "the weight fc1.bias is float64"),
        (lambda w: w["fc1.bias"].fill_(torch.nan), "the weight fc1.bias holds NaN"),
    ],
)
def test_weights_of_something_else_are_one_line(folder, change, said):
    changed_weights(folder, change)
    refused(folder, said)


class Code:
    """Unpickled, it leaves a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("what", ["cut", "pickle", "torch", "text", "forged", "gone", "folder"])
def test_weights_that_are_none_are_one_line(folder, tmp_path, what):
    path = folder / WEIGHTS
    whole = path.read_bytes()
    if what in ("gone", "folder"):
        path.unlink()
    if what == "folder":
        path.mkdir()
    if what == "torch":
        torch.save({"fc1.bias": torch.zeros(3)}, path)
    contents = {
        "cut": whole[: len(whole) // 2],
        "pickle": pickle.dumps(Code(tmp_path / "was run")),
        "text": b"hello",
        "forged": (2**62).to_bytes(8, "little") + whole[8:],
    }
    if what in contents:
        path.write_bytes(contents[what])
    refused(folder, WEIGHTS)
    assert not (tmp_path / "was run").exists()


def test_a_folder_that_is_none_and_a_device_that_is_not_there(folder, tmp_path):
    refused(tmp_path / "nowhere", "no such folder")
    refused(tmp_path, "missing")
    for device in ("cuda:99", "quantum"):
        with pytest.raises(InputError, match=f"no device '{device}' here"):
            load_trained(folder, device=device)


def test_a_sound_copy_is_read_and_global_draws_are_left_alone(folder):
    state = torch.get_rng_state()
    assert not load_trained(folder).network.training
    assert torch.equal(torch.get_rng_state(), state)


class WithModels(Parameters):
    """Of a run that takes models by file."""

    dataset: str
    models: tuple[str, ...]


def test_a_file_that_its_run_names_as_a_model_is_not_run(folder, tmp_path, monkeypatch):
    marker = tmp_path / "was run"
    (tmp_path / "strange.py").write_text(f"open({str(marker)!r}, 'w')\n\n\nclass Strange:\n    pass\n")
    rewrite(folder, parameters={"dataset": "iemocap_like", "models": ["mfn", f"{tmp_path}/strange.py:Strange"]})
    monkeypatch.setattr(papers, "schema_for", lambda notebook: WithModels)
    with pytest.raises(InputError, match=r"strange\.py:Strange among its models, whose code is not run"):
        by_name(description.read(folder), "iemocap_like", "test")
    assert not marker.exists()
