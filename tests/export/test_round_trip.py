"""Written, read back and asked: the recorded test outputs, bit for bit, and what each modality brought."""

import io
from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from lib.export.loading import load_trained
from lib.export.prediction import contributions
from lib.export.writing import export, outputs_sha256
from tests.export.exported_runs import VARIANTS, record_of, test_split, tiny_study


def test_an_exported_model_gives_the_recorded_test_outputs_bit_for_bit(trained, tmp_path):
    notebook, runs = trained
    for variant in dict.fromkeys(record.variant for record in runs.records):
        for seed in (0, 1) if variant == VARIANTS[notebook] else (0,):
            if not any((r.variant, r.seed) == (variant, seed) for r in runs.records):
                continue  # of a search there is one seed
            folder = export(runs, notebook, "quick", variant, seed, tmp_path / f"{variant}-{seed}")
            model, record = load_trained(folder), record_of(runs, variant, seed)
            outputs = model.outputs(test_split(runs))
            assert outputs.dtype == record.outputs["test"].dtype
            assert np.array_equal(outputs, record.outputs["test"]), variant
            assert model.about.training.outputs_sha256 == outputs_sha256(outputs)
            assert model.about.training.largest_difference == 0


def test_the_table_holds_the_record_and_contributions_that_add_up(trained, tmp_path):
    notebook, runs = trained
    variant = VARIANTS[notebook]
    model = load_trained(export(runs, notebook, "quick", variant, 0, tmp_path / "model"))
    outputs, about = record_of(runs, variant, 0).outputs["test"], model.about
    text = model.predict(test_split(runs)).to_csv(index=False)
    table = pd.read_csv(io.StringIO(text), keep_default_na=False)  # nobody present is an empty cell
    assert list(table["id"]) == list(test_split(runs).ids)
    if about.task == "regression":
        raw, whole, endings = table[["score"]], table[["score"]].to_numpy(), [""]
        assert np.array_equal(table["predicted"], np.clip(table["score"], *about.scale.limits))
    else:
        raw = table[[f"logit_{label}" for label in about.labels]]
        likely = table[[f"probability_{label}" for label in about.labels]].to_numpy()
        whole, endings = likely, [f"_{label}" for label in about.labels]
    assert np.array_equal(raw.to_numpy().astype(np.float32), outputs)
    if about.task == "classes":
        chosen = outputs.argmax(axis=1)
        assert list(table["predicted"]) == [about.labels[k] for k in chosen]
        whole, endings = np.take_along_axis(likely, chosen[:, None], axis=1), [""]
        np.testing.assert_allclose(likely.sum(axis=1), 1, atol=1e-9)
    if about.task == "multilabel":
        present = [{about.labels[k] for k in np.flatnonzero(row > 0.5)} for row in likely]
        assert [set(filter(None, said.split("|"))) for said in table["predicted"]] == present
    for k, ending in enumerate(endings):
        parts = table[[*(f"contribution_{m}{ending}" for m in about.reads), f"without_any{ending}"]]
        np.testing.assert_allclose(parts.sum(axis=1), whole[:, k], atol=1e-5)
        assert parts.iloc[:, 0].abs().max() > 0


def test_contributions_are_the_mean_over_all_orders_of_what_a_modality_adds():
    rng = np.random.default_rng(0)
    names = ("text", "audio", "video")
    values = {frozenset(s): rng.normal(size=(3, 2)) for n in range(4) for s in permutations(names, n)}
    found = contributions(values.__getitem__, names)
    for m in names:
        added = [
            values[frozenset((*order[: order.index(m)], m))] - values[frozenset(order[: order.index(m)])]
            for order in permutations(names)
        ]
        np.testing.assert_allclose(found[m], np.mean(added, axis=0), atol=1e-12)


@pytest.mark.parametrize("trained", ["low_rank_fusion"], indirect=True)
def test_an_absent_modality_of_tensor_fusion_is_the_constant_of_its_slot(trained, tmp_path):
    notebook, runs = trained
    model = load_trained(export(runs, notebook, "quick", "LMF", 0, tmp_path / "model"))
    examples = model.asked(test_split(runs)).split.inputs
    without = model.network(text=examples["text"], audio=None, video=examples["video"])
    asked = model._outputs(model.asked(test_split(runs)), frozenset({"text", "video"}))
    np.testing.assert_allclose(asked, without.detach().numpy(), atol=1e-6)


def test_nothing_is_recorded_before_training_and_all_after_it(colearned, tmp_path):
    assert tiny_study("iemocap_negative_colearning", tmp_path).recorded().done == []
    assert not any(tmp_path.iterdir())
    known = tiny_study("iemocap_negative_colearning", colearned.study.folder).recorded()
    assert [(r.variant, r.seed, r.key) for r in known.records] == [
        (r.variant, r.seed, r.key) for r in colearned.records
    ]


def test_what_follows_from_a_grid_is_recorded_too(trained):
    notebook, runs = trained
    known = tiny_study(notebook, runs.study.folder).recorded()
    assert sorted((r.variant, r.seed) for r in known.records) == sorted((r.variant, r.seed) for r in runs.records)
