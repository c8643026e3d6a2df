"""What a finished training depends on: the files that train it, and no others."""

from dataclasses import replace

import pytest

from lib import source_closure
from lib.training.recipe import ModelSpec
from lib.training.sweep import member_key
from tests.training.small import corpus, member

EVERY_MEMBER = {
    "lib": "__init__ absence errors files",
    "lib/data": "__init__ batches",
    "lib/metrics": "__init__ presence",
    "lib/models": "__init__ dropout lstm_steps recurrent",
    "lib/models/kernels": "__init__",
    "lib/training": (
        "__init__ adam class_weights device_graph fleet fleet_noise gradient_modulation loop losses objective "
        "parameter_groups recipe run selection self_paced stack strategies streams validation"
    ),
}
FAMILIES = {
    "mfn": "gated_memory mfn",
    "ef_lstm": "ef_lstm",
    "low_rank": "fusion_encoders low_rank",
    "tensor_fusion": "fusion_encoders tensor_fusion wide_linear",
    "concatenation": "concatenation fusion_encoders tensor_fusion wide_linear",
    "eea": "eea modality_rnn",
    "recurrent_baselines": "by_modality modality_rnn recurrent_baselines",
    "mult": "crossmodal modality_rnn mult read_rows",
    "biddin": "biddin dialogue_rnn dialogue_steps dialogues",
    "mmgcn": "conversation_encoder conversation_graph dialogues mmgcn",
    "mme2e": "albert crossmodal mme2e read_rows sequence_encoder vgg_block",
    "mme2e_sparse": (
        "albert cross_attention crossmodal mme2e mme2e_sparse read_rows sequence_encoder sparse_sites vgg_block"
    ),
    "handcrafted_baselines": "crossmodal handcrafted_baselines read_rows sequence_encoder",
}
"""The files of `lib/models` that a family has beyond those of every member."""
UPWARD = ("lib.data.recordings", "lib.data.stand_ins", "lib.reporting", "lib.papers", "lib.workflow")


def code_of(family: str, monkeypatch) -> set[str]:
    """The files whose contents are in the key."""
    asked = []
    monkeypatch.setattr("lib.training.sweep.closure", lambda modules: asked.append(list(modules)) or {})
    member_key(replace(member(), model=ModelSpec(f"{family}:Any", {})), "data")
    return set(source_closure.closure(*asked))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_key_covers_what_trains_and_nothing_else(family, monkeypatch):
    expected = {f"{folder}/{name}.py" for folder, names in EVERY_MEMBER.items() for name in names.split()}
    expected |= {f"lib/models/{name}.py" for name in FAMILIES[family].split()}
    expected.add("lib/models/kernels/loops.cpp")
    assert code_of(family, monkeypatch) == expected
    assert len(expected) < 43


def test_training_imports_nothing_from_above_it_and_no_reader():
    above = source_closure._graph().find_upstream_modules("lib.training", as_package=True)
    assert not [name for name in above if name.startswith(UPWARD)]


def after_a_change(monkeypatch, path: str) -> str:
    """The key of a member when this file holds something else."""
    whole = source_closure.sha256_file
    with monkeypatch.context() as patch:
        patch.setattr(source_closure, "sha256_file", lambda p: "x" if p.as_posix().endswith(path) else whole(p))
        return member_key(member(), corpus().digest)


def test_a_change_of_what_trains_is_another_key_and_a_change_of_a_stand_in_is_not(monkeypatch):
    before = member_key(member(), corpus().digest)
    for path in ("lib/training/objective.py", "lib/data/batches.py", "lib/models/ef_lstm.py", "loops.cpp"):
        assert after_a_change(monkeypatch, path) != before, path
    for path in ("stand_ins/synthetic.py", "recordings/raw_batches.py", "reporting/tables.py", "models/mfn.py"):
        assert after_a_change(monkeypatch, path) == before, path
