"""The same vectors as another machine would have stored them pass the same checks."""

import zlib
from functools import partial

import numpy as np
import pytest

from lib.training.loop import train
from tests.parity import test_colearning_metrics as colearning_metrics
from tests.parity import test_colearning_models as colearning_models
from tests.parity import test_colearning_training as colearning_training
from tests.parity import test_emotion_embeddings_models as emotion_models
from tests.parity import test_emotion_embeddings_rules as emotion_rules
from tests.parity import test_emotion_embeddings_trainer as emotion_trainer
from tests.parity import test_lmf, test_lmf_protocol
from tests.parity.jitter import jittered_arrays, write_jittered
from tests.parity.reference import HERE, Vectors, golden, load_vectors

COLEARNING = {
    **dict.fromkeys(colearning_models.KINDS, colearning_models.check_module),
    **dict.fromkeys(("loop_mfn", "loop_bieflstm"), partial(colearning_training.check_whole_run, run=train)),
    **dict.fromkeys(("metrics_regression", "metrics_classification"), colearning_metrics.check_metrics),
    "modality_dropout": colearning_training.check_modality_dropout,
}
LMF = {
    **dict.fromkeys(("lmf", "tfn", "opt"), test_lmf.check_model),
    **dict.fromkeys(test_lmf_protocol.KINDS, test_lmf_protocol.check_rule),
}
EMOTIONS = {
    **dict.fromkeys(emotion_models.KINDS, emotion_models.check_model),
    **dict.fromkeys(("class_weights", "dataset_rules"), emotion_rules.check_rules),
    "metrics": emotion_rules.check_metrics,
    "trainer": emotion_trainer.check_run,
}
noise_in = pytest.mark.parametrize("everything", [False, True], ids=["results", "everything"])


def noisy(vectors: Vectors, everything: bool) -> Vectors:
    generator = np.random.default_rng(zlib.crc32(vectors.path.stem.encode()))
    return Vectors(vectors.path, jittered_arrays(vectors.arrays, generator, everything))


@noise_in
@golden("colearning", *COLEARNING)
def test_colearning(vectors, everything):
    COLEARNING[str(vectors["kind"])](noisy(vectors, everything))


@noise_in
@golden("lmf", *LMF)
def test_low_rank_fusion(vectors, everything):
    LMF[str(vectors["kind"])](noisy(vectors, everything))


@noise_in
@golden("emotion_embeddings", *EMOTIONS)
def test_emotion_embeddings(vectors, everything):
    EMOTIONS[str(vectors["kind"])](noisy(vectors, everything))


def test_files_with_noise(tmp_path):
    before = load_vectors(HERE / "golden" / "lmf" / "lmf_r01_o02.npz")
    write_jittered(HERE / "golden" / "lmf", tmp_path / "results", seed=5)
    write_jittered(HERE / "golden" / "lmf", tmp_path / "all", seed=5, everything=True)
    results, everything = (load_vectors(tmp_path / name / before.path.name) for name in ("results", "all"))
    assert set(results.arrays) == set(everything.arrays) == set(before.arrays)
    for key, value in before.arrays.items():
        assert results[key].dtype == everything[key].dtype == value.dtype
        if value.dtype.kind != "f" or not value.any():
            assert np.array_equal(everything[key], value)
            continue
        assert np.array_equal(results[key], value) == (not key.startswith(("out", "gradnorm"))) or value.size < 3
        off = np.abs(everything[key][value != 0] / value[value != 0] - 1)
        assert off.max() < 1e-6
        assert off.size < 10 or off.max() > 3e-8
