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
from tests.parity import test_low_rank_fusion_models, test_low_rank_fusion_protocol
from tests.parity import test_mme2e_data as mme2e_data
from tests.parity import test_mme2e_models as mme2e_models
from tests.parity import test_mme2e_parts as mme2e_parts
from tests.parity import test_spcl_backbones as spcl_backbones
from tests.parity import test_spcl_loop as spcl_loop
from tests.parity import test_spcl_objective as spcl_objective
from tests.parity import test_spcl_training as spcl_training
from tests.parity.jitter import jittered_arrays, write_jittered
from tests.parity.reference import HERE, Vectors, golden, load_vectors

pytestmark = pytest.mark.slow

COLEARNING = {
    **dict.fromkeys(colearning_models.KINDS, colearning_models.check_module),
    **dict.fromkeys(("loop_mfn", "loop_bieflstm"), partial(colearning_training.check_whole_run, run=train)),
    **dict.fromkeys(("metrics_regression", "metrics_classification"), colearning_metrics.check_metrics),
    "modality_dropout": colearning_training.check_modality_dropout,
}
LMF = {
    **dict.fromkeys(("lmf", "tfn", "opt"), test_low_rank_fusion_models.check_model),
    **dict.fromkeys(test_low_rank_fusion_protocol.KINDS, test_low_rank_fusion_protocol.check_rule),
}
EMOTIONS = {
    **dict.fromkeys(emotion_models.KINDS, emotion_models.check_model),
    **dict.fromkeys(("class_weights", "dataset_rules"), emotion_rules.check_rules),
    "metrics": emotion_rules.check_metrics,
    "trainer": emotion_trainer.check_run,
}
SPCL = {
    **dict.fromkeys(spcl_backbones.BACKBONES, spcl_backbones.check_backbone),
    "spcl_loss_cases": spcl_objective.check_objective,
    "threshold_schedule": spcl_objective.check_schedule,
    "dataloader": spcl_training.check_dataloader,
    "train_trace": spcl_loop.check_our_loop,
}
MME2E = {
    "vgg_block": mme2e_parts.check_vgg_block,
    "sparse_vgg_block": partial(mme2e_parts.check_sparse_block, form="gathered"),
    "cross_attention_dense": mme2e_parts.check_attention_over_frames,
    "cross_attention_sparse": mme2e_parts.check_attention_over_sites,
    "nucleus": mme2e_parts.check_nucleus,
    "transformer_encoder": mme2e_parts.check_sequence_encoder,
    "mme2e": mme2e_models.check_dense_model,
    "sparse": partial(mme2e_models.check_sparse_model, form="gathered"),
    "train_steps": mme2e_models.check_train_steps,
    **dict.fromkeys(("lf_rnn", "lf_transformer"), mme2e_models.check_baseline),
    "mel": mme2e_data.check_mel,
    "data_rules": mme2e_data.check_loader_rules,
    "metrics": mme2e_data.check_metrics,
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


@noise_in
@golden("spcl", *SPCL)
def test_self_paced_balance(vectors, everything):
    SPCL[str(vectors["kind"])](noisy(vectors, everything))


@noise_in
@golden("mme2e", *MME2E)
def test_end_to_end(vectors, everything):
    MME2E[str(vectors["kind"])](noisy(vectors, everything))


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
