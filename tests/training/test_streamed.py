"""Training on corpora whose batches are read when they are needed: what the end-to-end models add to the loop."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lib import source_closure
from lib.data.iemocap import iemocap_handcrafted
from lib.data.recordings.raw_batches import HashTokenizer
from lib.data.recordings.raw_decoding import Options
from lib.data.recordings.raw_layout import processed_folder, read
from lib.data.recordings.raw_preprocessing import preprocess, utterance_file
from lib.data.recordings.streamed_corpus import RawReader, open_handcrafted, open_raw
from lib.data.stand_ins import synthetic_handcrafted, synthetic_raw
from lib.errors import InputError
from lib.training.engine import jobs
from lib.training.loop import evaluate, train
from lib.training.recipe import Member, ModelSpec, Recipe
from lib.training.run import Checkpoint, Run
from lib.training.streams import SeededStreams
from lib.training.sweep import member_key, sweep

SIZES = {"train": 26, "valid": 6, "test": 6}
READER = RawReader("iemocap")
TOKENIZER = HashTokenizer(60, 12)
ALBERT = {
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "vocab_size": 60,
    "embedding_size": 6,
    "max_position_embeddings": 12,
}
SMALL = {"albert": ALBERT, "channels": [2, 3, 4, 5], "flatten_size": 6, "width": 4, "layers": 1, "heads": 2}
DENSE = ModelSpec("mme2e:MME2E", SMALL)
SPARSE = ModelSpec("mme2e_sparse:MME2ESparse", SMALL | {"threshold": 0.5})
RECIPE = Recipe(
    loss="bce",
    epochs=3,
    batch_size=8,
    learning_rate=0.01,
    groups={"text_lr_factor": 10},
    plateau_patience=None,
    ties="earlier",
    select_by="tuned_f1",
    reshuffle=True,
    drop_last=False,
    evaluation_batch=4,
    annealed=True,
)


def write(root: Path) -> None:
    synthetic_raw.write("iemocap", READER.features(root), SIZES, frames=3)
    preprocess("iemocap", READER.features(root), READER.folder(root).parent, Options(interval_ms=34))
    synthetic_handcrafted.write(READER.folder(root), READER.features(root))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write(folder)
    return folder


@pytest.fixture(scope="module")
def corpus(root):
    return open_raw(READER.folder(root), TOKENIZER)


@pytest.fixture(scope="module")
def handcrafted(root):
    return open_handcrafted(READER.folder(root), READER.features(root))


def member(model: ModelSpec = DENSE, seed: int = 0, **recipe) -> Member:
    everything = ("text", "audio", "video")
    return Member("x", seed, model, replace(RECIPE, **recipe), everything, everything)


def baseline(name: str, corpus) -> ModelSpec:
    return ModelSpec(f"handcrafted_baselines:{name}", {"sizes": corpus.splits["train"].sizes})


def splits(corpus) -> dict:
    return {name: corpus.batches(name) for name in corpus.splits}


def same(a, b) -> None:
    assert a.history == b.history
    assert a.best_epoch == b.best_epoch
    assert all(torch.equal(a.best_state[key], b.best_state[key]) for key in b.best_state)
    assert all(torch.equal(a.outputs[name], b.outputs[name]) for name in b.outputs)


@pytest.mark.parametrize("model", [DENSE, SPARSE], ids=["dense", "sparse"])
@pytest.mark.parametrize("stop_after", [1, 4, 6])
def test_a_run_that_ends_in_the_middle_of_an_epoch_goes_on_with_the_same_bits(
    corpus, tmp_path, monkeypatch, model, stop_after
):
    """Four minibatches per epoch; element dropout is on, so its stream has to go on as well."""
    undisturbed = train(member(model), splits(corpus), SeededStreams(0))
    seen, end_batch = [], Run.end_batch

    def interrupt(run, loss, size):
        end_batch(run, loss, size)
        seen.append(size)
        if len(seen) == stop_after:
            raise KeyboardInterrupt

    path = tmp_path / "run.checkpoint"
    monkeypatch.setattr(Run, "end_batch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(member(model), splits(corpus), SeededStreams(0), checkpoint=Checkpoint(path, "k", every_s=0))
    resumed = train(member(model), splits(corpus), SeededStreams(0), checkpoint=Checkpoint(path, "k", every_s=0))
    assert len(seen) == 4 * RECIPE.epochs, "no minibatch was computed twice"
    same(undisturbed, resumed)


KILLED = """
import sys, time
from pathlib import Path
from tests.training.test_streamed import TOKENIZER, READER, SPARSE, member, splits
from lib.data.recordings.streamed_corpus import open_raw
from lib.training.loop import train
from lib.training.run import Checkpoint, Run
from lib.training.streams import SeededStreams
root, path = Path(sys.argv[1]), Path(sys.argv[2])
end_batch, done = Run.end_batch, []
def slowly(run, loss, size):
    end_batch(run, loss, size)
    done.append(size)
    if len(done) == 6:
        print("in the second epoch", flush=True)
        time.sleep(60)
Run.end_batch = slowly
corpus = open_raw(READER.folder(root), TOKENIZER)
train(member(SPARSE), splits(corpus), SeededStreams(0), checkpoint=Checkpoint(path, "k", every_s=0))
"""


@pytest.mark.slow
def test_a_killed_process_leaves_what_the_next_one_ends_with_the_same_bits(root, corpus, tmp_path):
    path = tmp_path / "run.checkpoint"
    command = [sys.executable, "-c", KILLED, str(root), str(path)]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True, start_new_session=True)
    assert process.stdout.readline() == "in the second epoch\n"
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait(timeout=30) == -signal.SIGKILL
    process.stdout.close()
    state = torch.load(path, weights_only=True)
    assert (state["selection"]["epochs"], len(state["batches"]["sizes"])) == (1, 2)
    resumed = train(member(SPARSE), splits(corpus), SeededStreams(0), checkpoint=Checkpoint(path, "k"))
    # The killed process ran with as many threads as this one has.
    same(train(member(SPARSE), splits(corpus), SeededStreams(0)), resumed)


def test_a_checkpoint_of_a_large_model_is_written_seldom(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    checkpoint = Checkpoint(tmp_path / "x", "k", every_s=5)
    now[0] = 5.0
    assert checkpoint.due
    original = torch.save

    def slow(*arguments):
        original(*arguments)
        now[0] += 2.0

    monkeypatch.setattr(torch, "save", slow)
    checkpoint.save({})
    now[0] += 39.0
    assert not checkpoint.due, "writing took 2 seconds, so 40 are trained before the next"
    now[0] += 1.0
    assert checkpoint.due


def test_rates_fall_along_a_cosine_and_the_text_learns_more_slowly(corpus):
    run = Run(member(), corpus.batches("train"), SeededStreams(0))
    assert [group["lr"] for group in run.optimiser.param_groups] == [0.001, 0.001, 0.01]
    assert run.annealing.T_max == 3 * 26 // 8
    outcome = train(member(), splits(corpus), SeededStreams(0))
    expected = [0.0005 * (1 + np.cos(np.pi * 4 * epoch / 9)) for epoch in (1, 2, 3)]
    np.testing.assert_allclose(outcome.history["learning_rate"], expected, atol=1e-9)


def test_a_factor_of_one_leaves_one_group(corpus):
    train_split = corpus.batches("train")
    with_factor = Run(member(groups={"text_lr_factor": 1}), train_split, SeededStreams(0))
    assert [group["lr"] for group in with_factor.optimiser.param_groups] == [0.01]


def test_a_minibatch_in_parts_has_the_gradients_of_the_whole(handcrafted):
    """LF-LSTM pads to the longest of what is computed at once, so utterances of one length are taken."""
    split = handcrafted.batches("train")
    sequences = tuple({m: x[:3] for m, x in s.items()} for s in split.sequences)
    assert {len(x) for s in sequences for x in s.values()} == {2, 3}, "video has two frames"
    split = replace(split, sequences=sequences)
    model = baseline("LFRNN", handcrafted)
    found = []
    for microbatch in (None, 3):
        recipe = {"microbatch": microbatch, "batch_size": 26, "epochs": 2, "annealed": False}
        parts = {"train": split, "valid": split, "test": split}
        found.append(train(member(model, **recipe), parts, SeededStreams(0)))
    whole, parts = found
    np.testing.assert_allclose(parts.history["train_loss"], whole.history["train_loss"], rtol=1e-5)
    for name, weight in whole.best_state.items():
        np.testing.assert_allclose(parts.best_state[name], weight, rtol=0, atol=2e-4)


@pytest.mark.parametrize("model", [DENSE, SPARSE], ids=["dense", "sparse"])
def test_rounded_products_train_and_leave_float32_weights(corpus, model):
    rounded = train(member(model, precision="bfloat16"), splits(corpus), SeededStreams(0))
    exact = train(member(model), splits(corpus), SeededStreams(0))
    assert {w.dtype for w in rounded.best_state.values() if w.is_floating_point()} == {torch.float32}
    assert rounded.history["train_loss"] != exact.history["train_loss"]
    np.testing.assert_allclose(rounded.history["train_loss"], exact.history["train_loss"], rtol=0.2)


@pytest.mark.parametrize("name", ["LFRNN", "LFTransformer"])
def test_baselines_train_through_the_same_loop(handcrafted, name):
    recipe = {"annealed": False, "clip_norm": 2.0, "groups": None, "epochs": 8}
    outcome = train(member(baseline(name, handcrafted), **recipe), splits(handcrafted), SeededStreams(0))
    assert outcome.epochs_run == 8
    assert outcome.outputs["test"].shape == (6, 6)
    assert outcome.history["train_loss"][-1] < outcome.history["train_loss"][0]


def test_no_such_member_is_stacked(corpus, handcrafted):
    for model in (DENSE, SPARSE, baseline("LFRNN", handcrafted), baseline("LFTransformer", handcrafted)):
        assert [job.stacked for job in jobs([member(model), member(model, seed=1)], "cuda")] == [False, False]


def test_a_sweep_identifies_a_run_by_the_prepared_files(corpus, root, tmp_path):
    (record,) = sweep([member(epochs=1)], corpus, tmp_path, device="cpu")
    assert record.selected_on["epoch"] == "validation F1 at thresholds found on validation"
    assert record.outputs["test"].shape == (6, 6)
    other = open_raw(READER.folder(root), HashTokenizer(60, 11))
    assert other.digest != corpus.digest
    assert member_key(member(), other.digest) != member_key(member(), corpus.digest)


@pytest.mark.parametrize("changed", ["mme2e_rules.py", "raw_batches.py", "synthetic_raw.py"])
def test_a_digest_covers_the_code_that_makes_batches_but_not_a_stand_ins_writer(corpus, monkeypatch, changed):
    before, whole = corpus.digest, source_closure.sha256_file
    monkeypatch.setattr(source_closure, "sha256_file", lambda path: "x" if path.name == changed else whole(path))
    assert (replace(corpus).digest != before) is (changed != "synthetic_raw.py")


def test_a_streamed_corpus_is_float32(corpus):
    with pytest.raises(ValueError, match="a streamed corpus is float32"):
        corpus.batches("train", dtype=torch.float64)


@pytest.fixture
def spoilt(tmp_path):
    """A corpus with everything that can be wrong with single utterances of the training split."""
    raw = READER.features(tmp_path)
    synthetic_raw.write("iemocap", raw, SIZES, frames=3)
    items = read("iemocap", raw).splits["train"]
    for path in items[0].folder.glob("*.jpg"):
        path.write_bytes(b"no image at all")
    items[1].folder.joinpath(f"{items[1].image_stem}0.jpg").write_bytes(b"\xff\xd8 cut off")
    for path in items[2].folder.glob("*.jpg"):
        path.unlink()
    items[3].wave.write_bytes(items[3].wave.read_bytes()[:44])
    data = items[4].wave.read_bytes()
    items[4].wave.write_bytes(data[:44] + bytes(len(data) - 44))
    meta_path = processed_folder("iemocap", raw) / "meta.pkl"
    meta = pickle.loads(meta_path.read_bytes())
    meta[items[5].id]["text"] = "  "
    meta_path.write_bytes(pickle.dumps(meta))
    preprocess("iemocap", raw, READER.folder(tmp_path).parent, Options(interval_ms=34))
    synthetic_handcrafted.write(READER.folder(tmp_path), raw)
    return tmp_path, [item.id for item in items]


def test_what_is_wrong_is_counted_before_training_and_never_ends_it(spoilt):
    root, ids = spoilt
    utterance_file(READER.folder(root), ids[6]).write_bytes(b"damaged after it was prepared")
    corpus = open_raw(READER.folder(root), TOKENIZER)
    assert corpus.problem_counts() == {
        ("skipped", "no readable image"): 1,
        ("replaced", "not a readable JPEG image but text"): 3,
        ("skipped", "no image"): 1,
        ("replaced", "waveform of 0 samples, too short for a spectrogram"): 1,
        ("kept", "silent waveform"): 1,
        ("kept", "empty text"): 1,
        ("skipped", "prepared file missing or damaged"): 1,
    }
    assert not {ids[0], ids[2], ids[6]} & set(corpus.splits["train"].ids)
    assert {ids[1], ids[3], ids[4], ids[5]} <= set(corpus.splits["train"].ids)
    for model in (DENSE, SPARSE):
        outcome = train(member(model, batch_size=1, evaluation_batch=1), splits(corpus), SeededStreams(0))
        assert outcome.epochs_run == 3
        assert np.isfinite(outcome.history["train_loss"]).all()


def test_missing_features_are_counted(spoilt):
    root, ids = spoilt
    found = iemocap_handcrafted.feature_file(READER.features(root), "train", "text")
    table = pickle.loads(found.read_bytes())
    del table[ids[7]]
    found.write_bytes(pickle.dumps(table))
    corpus = open_handcrafted(READER.folder(root), READER.features(root))
    counts = corpus.problem_counts()
    assert counts["skipped", "no hand-crafted features"] == 1
    assert counts["kept", "empty text"] == 1
    outcome = train(member(baseline("LFRNN", corpus), annealed=False, batch_size=1), splits(corpus), SeededStreams(0))
    assert np.isfinite(outcome.history["train_loss"]).all()


def test_a_split_of_which_nothing_can_be_read(root, tmp_path):
    shutil.copytree(READER.folder(root), tmp_path / "iemocap")
    for path in (tmp_path / "iemocap" / "utterances").iterdir():
        path.write_bytes(b"")
    with pytest.raises(InputError, match="no utterance of the train split can be read"):
        open_raw(tmp_path / "iemocap", TOKENIZER)
    with pytest.raises(InputError, match=r"prepared\.json: missing; run \./run_all\.sh data preprocess"):
        open_raw(tmp_path / "nothing", TOKENIZER)


def test_evaluation_in_batches_gives_the_split(corpus):
    """The corrected sparse model and the dense one treat utterances independently."""
    run = Run(member(), corpus.batches("train"), SeededStreams(0))
    split = corpus.batches("test")
    whole = evaluate(run.model, split, replace(RECIPE, evaluation_batch=None))
    torch.testing.assert_close(evaluate(run.model, split, RECIPE), whole, rtol=0, atol=1e-5)
