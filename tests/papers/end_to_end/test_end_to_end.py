"""The end-to-end notebook's library: which networks are trained, how, and what its tables say."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from lib import papers, params
from lib.errors import InputError
from lib.metrics.presence import best_thresholds
from lib.metrics.scores import emotion_scores
from lib.models.albert import ALBERT_V2, Albert
from lib.models.mme2e_sparse import Stage
from lib.papers.end_to_end import EndToEnd, Models, attention, conclusions, costs, figures
from lib.papers.end_to_end import study as e2e
from lib.papers.end_to_end import tables as found
from lib.reporting.report import Report
from lib.training.records import FINISHED

ROOT = Path(__file__).resolve().parents[3]
SETTING = {"learning_rate": 0.01, "epochs": 2, "batch_size": 8, "early_stop": 5}
GIVEN = {
    "dataset": "iemocap_raw_like",
    "samples": {"train": 30, "valid": 8, "test": 24, "frames": 3},
    "interval_ms": 34,
    "models": dict.fromkeys(("mme2e", "mme2e_sparse", "lf_rnn", "lf_transformer"), SETTING),
    "threshold": 0.7,
    "thresholds": [0.3],
    "changes": ["corrected", "learned"],
    "encoder": {"channels": [2, 3, 4, 5], "flatten_size": 6, "width": 4, "layers": 1, "heads": 2},
    "text_encoder": {
        "hidden_size": 8,
        "layers": 1,
        "heads": 2,
        "intermediate_size": 8,
        "embedding_size": 6,
        "vocabulary": 60,
    },
    "text_max_len": 12,
    "annealed": True,
    "baseline_layers": 1,
    "seeds": [0, 1],
    "results": "results/x",
}


def given(**changes) -> EndToEnd:
    return params.check(EndToEnd, GIVEN | changes, where="test")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A whole small run: parameters, corpora, runs, run table."""
    p = given(results=str(tmp_path_factory.mktemp("run")))
    corpora = e2e.load_corpora(p)
    runs = e2e.study(p, corpora).train()
    return p, corpora, runs, runs.table


def test_every_variant_has_every_seed(trained):
    p, _, runs, _ = trained
    records = runs.records
    assert all(record.status == FINISHED for record in records)
    names = {"FE2E", "MESM 0.7", "MESM 0.3", "MESM 0.7, corrected", "MESM 0.7, learned", "LF-LSTM", "LF-TRANS"}
    for seed in p.seeds:
        assert {record.variant for record in records if record.seed == seed} == names


def test_a_finished_run_is_not_trained_again(trained):
    p, _, runs, _ = trained
    folder = Path(p.results) / "members"
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.safetensors")}
    again = e2e.study(p).train()
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("*.safetensors")} == before
    assert [r.key for r in again.records] == [r.key for r in runs.records]


def test_all_models_see_the_same_utterances(trained):
    _, corpora, _, _ = trained
    for split in ("train", "valid", "test"):
        assert corpora.raw.splits[split].ids == corpora.handcrafted.splits[split].ids
        np.testing.assert_array_equal(corpora.raw.labels(split), corpora.handcrafted.labels(split))
    assert corpora.handcrafted.splits["train"].sizes == {"text": 300, "audio": 144, "video": 35}
    shown = corpora.shown[corpora.raw.splits["test"].ids[0]]
    assert corpora.raw.labels("test")[0].argmax() == shown["label"]


def test_the_published_behaviour_is_the_default_and_changes_are_options(trained):
    p, corpora, _, _ = trained
    plain = e2e.model_spec(p, corpora, "mme2e_sparse", 0.7).arguments
    assert not {"site_order", "attention"} & set(plain)
    learned = e2e.model_spec(p, corpora, "mme2e_sparse", 0.7, "learned").arguments
    assert learned == plain | {"site_order": "corrected", "attention": "learned"}
    assert e2e.model_spec(p, corpora, "lf_rnn").arguments["padding"] == "reference"


def test_the_recipe_is_that_of_the_paper(trained):
    """Spec end_to_end, section 6."""
    p = papers.load(ROOT / "params" / "end_to_end_sparse" / "paper.yaml", results="-")
    for model, setting in p.models.chosen().items():
        recipe = e2e.recipe(p, model, setting)
        assert (recipe.algorithm, recipe.loss, recipe.weight_decay) == ("adam", "bce", 0.0)
        assert (recipe.select_by, recipe.ties, recipe.reshuffle, recipe.drop_last) == (
            "tuned_f1",
            "earlier",
            True,
            False,
        )
        assert recipe.groups == ({"text_lr_factor": 10.0} if model.startswith("mme2e") else None)
        assert not recipe.annealed


def test_published_sizes_give_the_published_numbers_of_weights():
    """Spec end_to_end, 5.5 to 5.8, ALBERT-base included."""
    p = papers.load(ROOT / "params" / "end_to_end_sparse" / "paper.yaml", results="-")
    encoder = p.encoder.model_dump(mode="json")
    with torch.device("meta"):
        for name, weights in (("mme2e:MME2E", 36_782_485), ("mme2e_sparse:MME2ESparse", 37_640_859)):
            spec = e2e.ModelSpec(name, {"albert": ALBERT_V2["base"], **encoder})
            assert sum(w.numel() for w in spec.build().parameters()) == weights


def test_thresholds_are_found_on_validation_and_used_on_test(trained):
    _, corpora, runs, table = trained
    record = next(r for r in runs.records if (r.variant, r.seed) == ("FE2E", 1))
    thresholds = best_thresholds(record.outputs["valid"], corpora.raw.labels("valid"))
    expected = emotion_scores(record.outputs["test"], corpora.raw.labels("test"), thresholds)
    mine = table[(table["variant"] == "FE2E") & (table["seed"] == 1) & (table["split"] == "test")]
    values = mine.set_index("metric")["value"]
    assert values["f1_positive"] == pytest.approx(expected["f1_positive"].mean())
    assert values["acc_fru"] == pytest.approx(expected["acc"][2])
    assert set(table["selected_on"]) == {
        "epoch: validation F1 at thresholds found on validation; thresholds of all splits: validation (quirk Q11); "
        "hyper-parameters: fixed in the YAML"
    }


def test_the_constant_answer_stands_beside_every_score(trained):
    p, corpora, _, table = trained
    overview = found.overview_table(p, corpora, table).set_index("variant")
    assert list(overview.index) == ["FE2E", "MESM 0.7", "LF-LSTM", "LF-TRANS", found.NEVER, found.ALWAYS]
    assert overview.loc[found.NEVER, "acc"] == pytest.approx(5 / 6)
    assert overview.loc[found.NEVER, "f1_positive"] == 0
    share = corpora.any.labels("test").mean(axis=0)
    assert overview.loc[found.ALWAYS, "f1_positive"] == pytest.approx(np.mean(2 * share / (1 + share)))
    assert overview.loc[found.ALWAYS, "acc"] == pytest.approx(1 / 6)
    each = found.emotion_table(p, corpora, table, "acc").set_index("variant")
    assert each.loc["FE2E"].drop("average").mean() == pytest.approx(each.loc["FE2E", "average"])
    assert each.loc["FE2E", "average"] == pytest.approx(overview.loc["FE2E", "acc"])
    gains = found.beats_floor(p, corpora, table).set_index("variant")
    assert gains.loc["FE2E", "acc_gain"] == pytest.approx(overview.loc["FE2E", "acc"] - 5 / 6)
    sentences = conclusions.floor(found.overview_table(p, corpora, table))
    assert sentences[0].startswith(
        "Answering no to everything has accuracy 0.833, weighted accuracy 0.500 and F1 0.000"
    )
    always = overview.loc[found.ALWAYS, "f1_positive"]
    above = int((overview["f1_positive"] > always).sum())
    told = f"{above} of 4 models have a better F1 than answering yes to everything, which has {always:.3f}."
    assert sentences[1] == told


def test_of_exclusive_emotions_the_likeliest_is_scored(trained):
    p, corpora, runs, table = trained
    record = next(r for r in runs.records if (r.variant, r.seed) == ("FE2E", 0))
    right = record.outputs["test"].argmax(axis=1) == corpora.raw.labels("test").argmax(axis=1)
    mine = table[(table["variant"] == "FE2E") & (table["seed"] == 0) & (table["split"] == "test")]
    assert mine.set_index("metric")["value"]["class_acc"] == pytest.approx(right.mean())
    assert found.compared(table) == ["f1_positive", "acc", "class_acc"]
    (told,) = conclusions.likeliest(found.overview_table(p, corpora, table), corpora.any.label_names)
    assert told.startswith("How often the likeliest of 6 emotions is right, where a guess is in 1 of 6 cases: FE2E 0.")


def test_costs_are_counted_and_nominal_operations_do_not_depend_on_the_form(trained, monkeypatch):
    monkeypatch.setattr(costs, "REPEATS", 1)
    _, corpora, runs, _ = trained
    table = costs.cost_table(runs, corpora.raw)
    assert list(zip(table["variant"], table["form"], strict=True)) == [
        ("FE2E", "dense"),
        *(("MESM 0.3", form) for form in ("gathered", "masked")),
        *(("MESM 0.7", form) for form in ("gathered", "masked")),
    ]
    assert table["counted"][0] == pytest.approx(2 * table["nominal"][0])
    gathered, masked = (table[table["form"] == form].set_index("threshold") for form in ("gathered", "masked"))
    np.testing.assert_allclose(gathered["nominal"], masked["nominal"], rtol=1e-9)
    assert gathered["nominal"][0.3] < gathered["nominal"][0.7] < table["nominal"][0]
    np.testing.assert_allclose(gathered["counted"], 2 * gathered["nominal"], rtol=1e-9)
    assert (masked["counted"] > gathered["counted"]).all()
    assert (table["seconds"] > 0).all()
    ratios = found.ratio_table(table).set_index("threshold")
    assert list(ratios.index) == [0.3, 0.7, 1.0]
    assert ratios.loc[0.7, "paper_ratio"] == pytest.approx(5.18 / 8.65)
    assert ratios.loc[1.0, "nominal_ratio"] == 1


def test_a_saving_on_paper_only_is_said():
    rows = pd.DataFrame({"threshold": [0.3, 0.7], "form": "gathered", "nominal_ratio": [0.4, 0.6]})
    rows = rows.assign(counted_ratio=[0.4, 0.6], seconds_ratio=[0.8, 1.1])
    assert conclusions.savings(rows)[1] == (
        "At 0.7 the saving exists on paper only: a step is no faster than the dense model's."
    )
    faster = rows.assign(seconds_ratio=[0.8, 0.9])
    assert conclusions.savings(faster)[1] == "At every threshold a step takes less time than the dense model's."


def test_only_the_published_order_lets_batch_mates_change_a_result(trained):
    _, corpora, runs, _ = trained
    change = costs.batch_dependence(runs, corpora.raw).set_index("variant")["largest_change"]
    assert change["FE2E"] < 1e-5
    assert change["MESM 0.7, corrected"] < 1e-5
    assert change["MESM 0.7"] > 1e-4


def test_rounding_decides_where_places_part_that_are_as_probable_as_the_last_one_kept():
    def stage(probabilities, kept):
        return Stage(torch.tensor([[probabilities]]), torch.tensor([[kept]]))

    one = stage([0.4, 0.3, 0.3, 0.0], [True, True, False, False])
    tie = stage([0.4, 0.3, 0.3, 0.0], [True, False, True, False])
    more = stage([0.4, 0.3, 0.3, 0.0], [True, True, True, False])
    moved = stage([0.1, 0.5, 0.0, 0.4], [False, True, False, True])
    assert not costs.decided_by_rounding([one], [one])
    assert costs.decided_by_rounding([one], [tie])
    assert costs.decided_by_rounding([one], [more])
    assert not costs.decided_by_rounding([one], [moved])
    assert costs.decided_by_rounding([one, one], [tie, moved])  # what follows a place at the threshold is its effect
    assert not costs.decided_by_rounding([moved, one], [one, tie])


def test_uniform_attention_has_the_mass_of_chance(trained):
    _, corpora, runs, _ = trained
    table = attention.mass_table(runs, corpora)
    assert len(table) == 3 * 2 * 3  # models, modalities, stages
    video = table[table["modality"] == "video"]
    assert set(video["chance"].round(6)) == {round(16 * 28 / 48**2, 6)}
    assert table["mass"].between(0, 1).all()
    assert table["kept_inside"].between(0, 1).all()
    region = attention._regions("video", ["x"], [2], {})
    uniform = np.full((2, 24, 24), 1 / 576)
    assert (uniform * attention._on_grid(region, (24, 24))).sum() / 2 == pytest.approx(video["chance"].iloc[0])


def test_the_audio_region_is_that_of_the_tone_that_sounds(trained):
    _, corpora, _, _ = trained
    ids = corpora.raw.splits["test"].ids
    batch = corpora.raw.splits["test"].take(slice(0, 1)).inputs
    region = attention._regions("audio", ids[:1], batch["audio_lengths"].tolist(), corpora.shown)
    energy = batch["audio"][:, 0].numpy()
    inside = (energy * region).sum() / energy.sum()
    assert inside > 0.9, "nearly all the power of the piece lies in the region"
    assert region.mean() < 0.2


def test_the_verdict_on_attention_is_that_of_the_interval():
    verdict = attention._verdict
    assert [verdict(0.3, 0.4, 0.2), verdict(0.1, 0.3, 0.2), verdict(0.1, 0.15, 0.2), verdict(np.nan, np.nan, 0.2)] == [
        *("above chance", "not told from chance", "below chance", "no verdict")
    ]


def test_figures_are_drawn(trained):
    p, corpora, runs, table = trained
    label = corpora.any.source.label
    maps = attention.maps(runs, corpora, e2e.find(runs, "MESM 0.7, learned"))
    assert {m: len(each) for m, each in maps.items()} == {"video": 3, "audio": 3}
    assert maps["video"][0].attention.sum() == pytest.approx(1, abs=1e-5)
    assert maps["audio"][0].kept.shape == (64, 16)
    figure = figures.attention_maps(maps, label=label, title="x")
    assert len(figure.axes) == 12
    each = found.emotion_table(p, corpora, table, "f1_positive")
    assert len(figures.emotion_dots(each, label=label, title="x", axis="y").axes[0].lines) == 6
    cost = costs.cost_table(runs, corpora.raw)
    scores = found.threshold_scores(p, table, "f1_positive")
    assert list(scores["threshold"]) == [0.3, 0.7, 1.0]
    assert len(figures.cost_curves(cost, scores, label=label, metric="F1").axes) == 2


def test_changes_and_thresholds_are_compared_seed_by_seed(trained):
    _, _, runs, _ = trained
    changed = found.change_table(runs)
    assert set(changed["baseline"]) == {"MESM 0.7"}
    assert len(changed) == 6  # two changes, three metrics
    dense = found.dense_table(runs)
    assert set(dense["baseline"]) == {"FE2E"}
    assert set(dense["variant"]) == {"MESM 0.3", "MESM 0.7"}
    assert len(conclusions.gains(changed)) == 6


def test_what_a_change_does_to_the_claim_is_what_it_does_to_the_sparse_model(trained):
    _, _, runs, _ = trained
    table = found.claims_mended(runs)
    changed, dense = (t[t["metric"] == "f1_positive"] for t in (found.change_table(runs), found.dense_table(runs)))
    single = table[table["of"] == 1]
    assert list(single["quirk"]) == ["Q1", "Q2"]
    assert set(table["sides"]) == {"variant"} and set(table["margin"]) == {0.02}
    assert single["gain"].tolist() == changed["gain"].tolist()
    assert set(single["published"]) == set(dense[dense["variant"] == "MESM 0.7"]["gain"])
    assert (single["mended"] - single["published"]).tolist() == pytest.approx(changed["gain"].tolist())
    lone = SimpleNamespace(study=SimpleNamespace(p=runs.study.p.model_copy(update={"models": Models()})))
    assert found.claims_mended(lone).empty


def test_without_an_utterance_a_score_keeps_the_thresholds_of_validation(trained):
    _, _, runs, _ = trained
    task, _, record = next(run for run in runs.done if (run[1].variant, run[1].seed) == ("MESM 0.7", 1))
    labels = {split: task.corpus.labels(split) for split in ("valid", "test")}
    thresholds = best_thresholds(record.outputs["valid"], labels["valid"])
    out, rest = record.outputs["test"], np.arange(24) != 5
    f1 = emotion_scores(out[rest], labels["test"][rest], thresholds)["f1_positive"].mean()
    right = (out.argmax(axis=1) == labels["test"].argmax(axis=1))[rest].mean()
    for metric, expected in (("f1_positive", f1), ("class_acc", right)):
        left = runs.without_units(metric)["MESM 0.7", 1]
        assert (left.unit, len(left.names)) == ("utterance", 24)
        assert left.scores[left.names.index(task.corpus.splits["test"].ids[5])] == pytest.approx(expected)


def test_models_are_set_against_those_on_features_by_the_answer(trained):
    _, _, runs, _ = trained
    over = found.handcrafted_table(runs)
    assert list(zip(over["variant"], over["baseline"], strict=True))[:4] == [
        (ours, theirs) for theirs in ("LF-LSTM", "LF-TRANS") for ours in ("FE2E", "MESM 0.7")
    ]
    assert set(over["metric"]) == {"f1_positive", "acc", "class_acc"} and (over["units"] == 24).all()
    known = {"combined_low": 0.01, "combined_high": 0.05, "gain": 0.03, "unit": "utterance", "would_decide": ""}
    known["combined_error"] = 0.01  # two seeds have none
    told = over.assign(**known, answer="better")
    (sentence,) = conclusions.baselines(told)
    assert sentence.endswith(
        f"F1: +3.0 points (95 % interval over seeds and utterances +1.0 to +5.0), better than "
        f"{told.loc[told[told['metric'] == 'f1_positive']['baseline_score'].idxmax(), 'baseline']}."
    )
    open_rows = over.assign(combined_low=np.nan, answer="undecided", would_decide="about 40 seeds would decide")
    assert conclusions.baselines(open_rows)[0].endswith("(about 40 seeds would decide).")
    assert "interval over seeds " in conclusions.baselines(open_rows)[0]


def test_a_stand_in_is_never_compared_with_the_paper(trained):
    p, corpora, runs, _ = trained
    compared = found.comparison_table(runs, corpora, found.paper(p.kind))
    assert compared["verdict"].str.startswith("not comparable: stand-in data").all()
    assert compared["difference"].isna().all()
    assert conclusions.provenance(p, corpora).endswith("says nothing about the real corpora.")


def test_deviations_from_the_readme_are_named():
    paper = papers.load(ROOT / "params" / "end_to_end_sparse" / "paper.yaml", results="-")
    assert found.deviations(paper) == []
    assert found.deviations(given())[0] == "a text encoder from random weights"
    assert "FE2E trained in another way than by the README's command" in found.deviations(given())
    mosei = papers.load(ROOT / "params" / "end_to_end_sparse" / "mosei.yaml", results="-")
    assert found.deviations(mosei) == ["no command was published for this corpus"]


def test_the_manifest_declares_the_text_encoder(trained):
    p, _, runs, _ = trained
    Report(runs.study).finish(runs, e2e.selected_on(p))
    written = pd.read_json(Path(p.results) / "manifest.json", typ="series")
    assert "from random weights (not pretrained)" in written["run"]["selected_on"]["text encoder"]
    assert written["run"]["selected_on"]["decision thresholds"] == "validation"
    assert all(source["synthetic"] for source in written["data"])


def test_data_decoded_in_another_way_is_refused(trained, tmp_path):
    p, corpora, _, _ = trained
    folder = corpora.raw.splits["train"].folder.parents[1]
    real = p.model_copy(update={"samples": None, "dataset": "iemocap_raw", "data_root": str(folder)})
    e2e.load_corpora(real)
    with pytest.raises(InputError, match=r"decoded with .*'interval_ms': 34.*, expected .*'interval_ms': 500"):
        e2e.load_corpora(real.model_copy(update={"interval_ms": 500}))
    with pytest.raises(InputError, match=r"run \./run_all\.sh data preprocess"):
        e2e.load_corpora(real.model_copy(update={"data_root": str(tmp_path)}))


def test_mosei_is_read_as_well(tmp_path):
    models = {"mme2e": SETTING, "mme2e_sparse": SETTING}
    p = given(dataset="mosei_raw_like", models=models, results=str(tmp_path), changes=[], thresholds=[], seeds=[0])
    corpora = e2e.load_corpora(p)
    assert corpora.handcrafted is None
    assert corpora.any.label_names == ("anger", "disgust", "fear", "happy", "sad", "surprise")
    assert {r.status for r in e2e.study(p, corpora).train().records} == {FINISHED}


def test_a_stored_text_encoder_is_loaded(tmp_path, trained):
    """A checkpoint in the hub's form: names with a prefix, and parts that the encoder does not have."""
    _, corpora, _, _ = trained
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 8}
    sizes |= {"vocab_size": 30, "embedding_size": 6, "max_position_embeddings": 12}
    albert = Albert(**sizes)
    folder = tmp_path / "albert"
    folder.mkdir()
    (folder / "config.json").write_text(pd.Series(sizes | {"model_type": "albert"}).to_json())
    weights = {f"albert.{name}": w.clone() for name, w in albert.state_dict().items()}
    save_file(weights | {"predictions.bias": torch.zeros(30)}, folder / "model.safetensors")
    p = given(text_encoder={"folder": "albert"}, data_root=str(tmp_path))
    model = e2e.model_spec(p, corpora, "mme2e").build()
    for name, value in albert.state_dict().items():
        assert torch.equal(model.T.albert.state_dict()[name], value)
    assert e2e.text_encoder(p) == "ALBERT from the folder albert, pretrained"
    del weights["albert.pooler.weight"]
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(InputError, match="not the weights of this model"):
        e2e.model_spec(p, corpora, "mme2e").build()
    with pytest.raises(InputError, match=r"config\.json: missing; download albert-base-v2"):
        e2e.model_spec(replace_folder(p), corpora, "mme2e")


def replace_folder(p: EndToEnd) -> EndToEnd:
    return given(text_encoder={"folder": "nothing"}, data_root=p.data_root)


def test_a_single_model_can_be_run(tmp_path, capsys):
    p = given(models={"lf_rnn": SETTING}, changes=[], thresholds=[], seeds=[0], results=str(tmp_path))
    corpora = e2e.load_corpora(p)
    assert corpora.raw is None
    runs = e2e.study(p, corpora).train()
    overview = found.overview_table(p, corpora, runs.table)
    assert list(overview["variant"]) == ["LF-LSTM", found.NEVER, found.ALWAYS]
    Report(runs.study).worth([found.handcrafted_table(runs)])
    assert "Markdown" in capsys.readouterr().out and not (tmp_path / "tables" / "gain_worth.csv").exists()
    assert found.handcrafted_table(runs).empty and conclusions.baselines(found.handcrafted_table(runs)) == []
    assert runs.records[0].status == FINISHED
