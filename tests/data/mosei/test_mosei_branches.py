"""CMU-MOSEI as sequences of one text each: the forms, their common utterances, and what tells them apart."""

import numpy as np
import pytest
import torch

from lib.data.mosei import mosei_branches, mosei_text
from lib.data.text import frozen
from lib.errors import InputError
from lib.minilm import MiniLM
from tests.data.mosei.test_mosei_text import write_mosei
from tests.data.parts import pinned, write_glove

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "then", "a", "word", "or", "two", "and", "more", ","]


@pytest.fixture
def root(tmp_path, monkeypatch):
    return write_parts(tmp_path, monkeypatch)


def write_parts(root, monkeypatch):
    """Tables, and small parts in the place of the pinned ones."""
    write_mosei(root)
    (root / "vocab.txt").write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    (root / "model.safetensors").write_bytes(b"weights")
    parts = {
        "minilm": pinned("minilm", root, ("vocab.txt", "model.safetensors")),
        "glove_6b_50d": write_glove(root, ["then", "two", "more"]),
    }
    monkeypatch.setattr(frozen, "PARTS", parts)
    monkeypatch.setattr(mosei_branches, "PARTS", parts)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = MiniLM(vocab_size=len(PIECES), feedforward=16, positions=frozen.LONGEST).eval()
    monkeypatch.setattr(frozen, "_network", lambda path: network)
    return root


def test_all_forms_hold_the_papers_utterances(root):
    found = mosei_branches.read(root, ("words", "sentences", "states"), longest=8)
    expected = mosei_text.utterances(root, "end_to_end")
    for corpus in found.values():
        for name, fold in expected.items():
            split = corpus.splits[name]
            assert split.ids == tuple(fold.ids)
            np.testing.assert_array_equal(split.labels, (fold.intensities > 0).astype(np.float32))
    sizes = {form: corpus.splits["train"].sizes for form, corpus in found.items()}
    assert sizes == {"words": {"text": 52}, "sentences": {"text": 384}, "states": {"text": 384}}
    assert len({corpus.digest for corpus in found.values()}) == 3
    (source,) = {id(corpus.source): corpus.source for corpus in found.values()}.values()
    assert {"vocab.txt", "vectors.npy"} <= set(source.files)
    assert any(said.startswith("text alone; ") for said in source.warnings)


def test_words_end_in_two_zeros_and_the_first_are_kept(root):
    split = mosei_branches.read(root, ["words"], longest=3)["words"].splits["test"]
    inputs = split.take(slice(0, 2)).inputs
    assert inputs["text"].shape == (2, 3, 52) and inputs["text_lengths"].tolist() == [3, 3]
    assert not inputs["text"][..., 50:].any()
    np.testing.assert_array_equal(inputs["text"][0, 0, :50], np.arange(50))  # `Then`, in lower case
    assert set(inputs) == {"text", "text_lengths"}


def test_states_are_those_beneath_the_last_layer(root):
    split = mosei_branches.read(root, ["states"], longest=6)["states"].splits["valid"]
    assert split.inputs["text_lengths"].tolist() == [6] * len(split)
    states, rows = frozen.lower_states([mosei_text.utterances(root)["valid"].texts[0]], root, layers=5, longest=6)
    np.testing.assert_allclose(split.sequences[0]["text"], states[rows[0]], atol=1e-5)


def test_what_cannot_be_read_is_named(root):
    with pytest.raises(InputError, match="unknown form 'letters'; known: words, sentences, states"):
        mosei_branches.read(root, ["letters"])
    (root / "vectors.npy").unlink()
    with pytest.raises(InputError, match=r"vectors\.npy: is missing; \./run_all\.sh data get glove_6b_50d"):
        mosei_branches.read(root, ["words"])


def test_the_real_utterances(real_root):
    if not (real_root / "mosei").is_dir() or not (real_root / "parts/glove_6b_50d").is_dir():
        pytest.skip("needs CMU-MOSEI and GloVe: ./run_all.sh data get mosei_text glove_6b_50d")
    corpus = mosei_branches.read(real_root, ["words"])["words"]
    assert [len(split) for split in corpus.splits.values()] == [14524, 1765, 4188]
    assert corpus.labels("test").sum(axis=0).tolist() == [1015, 744, 371, 2220, 1066, 393]
