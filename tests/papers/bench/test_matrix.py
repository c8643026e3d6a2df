"""Every model of the library on every corpus whose modalities it can take, with every strategy defined there."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import yaml

import lib.models
from lib.models import mult
from lib.papers.bench import CORPORA, study
from lib.papers.bench.catalogue import ELSEWHERE, KERNELS, MODELS
from lib.training.loop import train
from lib.training.streams import SeededStreams
from tests.papers.bench.bench_runs import given

ROOT = Path(__file__).resolve().parents[3]
STAND_INS = [name for name in CORPORA if name.endswith("_like")]
EVERY = [{"model": name, "hidden": 4, "title": name} for name in MODELS]
DIALOGUES = {"late_fusion", "mmgcn", "mm_dfn", "dialogue_gcn", "biddin"}
ALONE = set(MODELS) - DIALOGUES
OF_VECTORS = {"lmf", "tfn", "concatenation", "lf_rnn"}
"""What can read text over time beside one vector of sound and picture."""
TAKEN = {
    "iemocap_like": ALONE - {"eea", "mult"},  # no vectors of its emotions are here, and four steps are too few
    "mosi_like": ALONE - {"eea"},
    "mosei_emotions_like": ALONE,
    "iemocap_emotions_like": ALONE,
    "iemocap_conversations_like": DIALOGUES,
    "meld_conversations_like": DIALOGUES,
    "mosi_lmf_like": OF_VECTORS,
    "pom_lmf_like": OF_VECTORS,
    "iemocap_lmf_like": OF_VECTORS,
}
OWN_LOGITS = {"lf_rnn", "late_fusion", "dialogue_gcn", "biddin"}
"""Models that give each modality's own outputs; BiDDIN has no encoder of one modality alone."""


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("REPRISE_DATA", str(tmp_path_factory.getbasetemp() / "no data"))


def whole(name: str):
    samples = 20 if CORPORA[name] == "conversation" else 130
    p = given(datasets=[name], of_corpus={}, samples=samples, models=EVERY, seeds=[0])
    return p, study.load(p)


def expected(name: str) -> set[tuple[str, str]]:
    """Models and trainings, from what the papers say of each strategy."""
    kind, models = CORPORA[name], TAKEN[name]
    found = {(model, "plain") for model in models}
    if kind == "conversation":
        found |= {(model, "SPCL 0.4 x 1.5") for model in models}
    else:
        found |= {(model, "modality dropout 0.5") for model in models}
    if kind != "regression":
        found |= {(model, "unimodal losses 0.5") for model in models & OWN_LOGITS}
    if kind in ("classes", "conversation"):
        found |= {(model, "OGM-GE 0.5") for model in models & (OWN_LOGITS - {"biddin"})}
    return found


def test_the_stand_ins_are_all_asked():
    assert set(TAKEN) == set(STAND_INS)
    assert set().union(*TAKEN.values()) == set(MODELS)


@pytest.mark.parametrize("name", STAND_INS)
def test_every_model_runs_on_every_corpus_that_it_can_take(name):
    p, readings = whole(name)
    asked = study.study(p, readings)
    assert {(m.tags["model"], m.tags["strategy"]) for _, m in asked.members} == expected(name)
    for task, member in asked.members:
        splits = {part: task.corpus.batches(part) for part in task.corpus.splits}
        outcome = train(member, splits, SeededStreams(member.seed))
        outputs = {part: out.numpy() for part, out in outcome.outputs.items()}
        assert np.isfinite(task.scores(outputs)["test"][task.metrics[0]]), member.variant


@pytest.mark.parametrize("name", STAND_INS)
def test_everything_that_does_not_run_is_listed_with_a_reason(name):
    p, readings = whole(name)
    missed = study.missed(p, readings)
    run = {(m.tags["model"], m.tags["strategy"]) for _, m in study.study(p, readings).members}
    trainings = {"plain", *(strategy.name for strategy in p.strategies)}
    for model in MODELS:
        mine = missed[missed["model"] == model]
        lacking = {strategy for each in mine["strategy"] for strategy in (trainings if each == "any" else {each})}
        assert lacking | {training for name, training in run if name == model} == trainings
        assert not lacking & {training for name, training in run if name == model}
    assert missed["why"].str.len().gt(10).all()
    assert not missed["why"].str.contains("\n").any()


def test_every_architecture_of_the_library_is_in_the_bench_or_said_to_be_elsewhere():
    """An architecture is what a `forward` of text, audio and video, or of dialogues, makes of them."""
    for about in MODELS.values():
        module, _, name = about.architecture.partition(":")
        assert isinstance(getattr(import_module(f"lib.models.{module}"), name), type)
    said = " ".join(ELSEWHERE)
    folder = Path(lib.models.__file__).parent
    elsewhere = {"mme2e": "MME2E", "mme2e_sparse": "MME2E", "handcrafted_baselines": "LF-LSTM", "word_fusion": "words"}
    taken = {about.architecture.partition(":")[0] for about in MODELS.values()}
    entry = {path.stem for path in folder.glob("*.py") if path.stem in taken | set(elsewhere)}
    assert entry == taken | set(elsewhere)
    assert all(word in said for word in elsewhere.values())


def test_the_steps_that_a_convolution_needs_are_the_models_own():
    assert KERNELS == mult.KERNELS


def test_gradient_modulation_is_left_out_of_adam_in_one_line():
    p = given(optimisers={"sgd": 0.05, "adam": 0.01}, seeds=[0])
    readings = study.load(p)
    found = {(m.tags["strategy"], m.tags["optimiser"]) for _, m in study.study(p, readings).members}
    assert ("OGM-GE 0.5", "SGD") in found and ("OGM-GE 0.5", "Adam") not in found
    missed = study.missed(p, readings)
    (row,) = missed[(missed["optimiser"] == "Adam") & (missed["model"] == "LF-RNN")].to_dict("records")
    assert row["why"] == "scales gradients, and Adam divides a factor that lasts out again: run under SGD"


OWN = """
import json, sys
from lib import params
from lib.papers.bench import Bench, study
given = json.loads(sys.argv[1])
p = params.check(Bench, given, where="test")
asked = study.study(p)
print(json.dumps(sorted({m.variant for _, m in asked.members})))
"""


def test_a_corpus_that_somebody_brought_is_taken(tmp_path):
    """One vector of text and one of sound, three classes."""
    folder, rng = tmp_path / "own" / "voices", np.random.default_rng(0)
    folder.mkdir(parents=True)
    about = {
        "label": "Voices",
        "task": "classes",
        "labels": ["low", "middle", "high"],
        "splits": {name: f"{name}.npz" for name in ("train", "valid", "test")},
        "unit": "speaker",
        "licence": "mine",
    }
    (folder / "corpus.yaml").write_text(yaml.safe_dump(about))
    for split, n in (("train", 24), ("valid", 9), ("test", 9)):
        arrays = {m: rng.normal(size=(n, 1, width)).astype(np.float32) for m, width in (("text", 4), ("audio", 3))}
        ids = np.array([f"{split}{i}" for i in range(n)])
        np.savez(folder / f"{split}.npz", ids=ids, labels=np.arange(n) % 3, units=ids, **arrays)
    models = [{"model": name, "hidden": 4} for name in ("lf_rnn", "lmf", "mult")]
    run = {"datasets": ["voices"], "models": models, "optimisers": {"sgd": 0.1}, "epochs": 1, "batch_size": 8}
    command = [sys.executable, "-P", "-c", OWN, json.dumps(run | {"seeds": [0], "results": "x"})]
    environment = os.environ | {"REPRISE_DATA": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["voices: LF-RNN, plain", "voices: LMF, plain"]
