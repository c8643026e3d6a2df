"""SPCL as a study: which networks are trained, how, what its tables say, and which runs are asked again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from lib import papers
from lib.data.corpus import Corpus
from lib.errors import InputError
from lib.metrics import scores as metrics
from lib.papers.self_paced_balance import SelfPacedBalance, conclusions, tables
from lib.papers.self_paced_balance import study as self_paced
from lib.reporting.report import Report
from lib.training import records as run_records
from lib.training.loop import train
from lib.training.streams import SeededStreams
from lib.training.sweep import sweep
from lib.training.trained import ZEROS
from tests.data.ravdess.test_ravdess import write_ravdess
from tests.papers.self_paced_balance.small_grid import EVERY, given

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A whole small run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRISE_CACHE", str(tmp_path_factory.mktemp("cache")))
        return self_paced.study(given(results=str(tmp_path_factory.mktemp("run")))).train()


def corpus_of(p: SelfPacedBalance) -> Corpus:
    return self_paced.study(p).tasks[0].corpus


def test_every_variant_has_every_seed(trained):
    p, records = trained.study.p, trained.records
    assert all(record.status == run_records.FINISHED for record in records)
    names = {record.variant for record in records if record.seed == 0}
    assert names == {record.variant for record in records if record.seed == 1}
    assert names == {
        f"{backbone} {subset}{rest}"
        for backbone, rests in {
            "BiDDIN": ["", " + SPCL", ", axis", " + SPCL, axis", ", masks", " + SPCL, masks", " + SPCL, selected"],
            "MMGCN": ["", " + SPCL", ", masks", " + SPCL, masks", " + SPCL, selected"],
        }.items()
        for subset in p.subsets
        for rest in rests
    }


def test_a_seed_has_its_own_development_set_and_its_record_names_it(trained):
    corpora = [task.corpus for task in trained.study.tasks]
    assert corpora[0].splits["test"].ids == corpora[1].splits["test"].ids
    assert corpora[0].splits["valid"].ids != corpora[1].splits["valid"].ids
    for task, _, record in trained.done:
        assert task is trained.study.tasks[record.seed]
        assert record.tags["development"] == " ".join(corpora[record.seed].splits["valid"].ids)
        assert len(record.outputs["valid"]) == (corpora[record.seed].splits["valid"].labels >= 0).sum()
    assert "2 different development sets of 2 dialogues" in self_paced.development_sets(trained.study)


def test_seeds_share_a_corpus_whose_split_does_not_depend_on_them():
    study = self_paced.study(given(dataset="meld_conversations_like", samples=30))
    ((corpus, members),) = study.grids
    assert corpus is study.tasks[0].corpus
    assert {member.seed for member in members} == {0, 1}
    assert self_paced.development_sets(study) == "All 2 seeds share the development set."


@pytest.mark.parametrize("dataset", ["meld_conversations_like", "iemocap_conversations_like"])
def test_the_dearest_are_trained_first(dataset):
    grids = self_paced.study(given(dataset=dataset, samples=30)).grids
    for _, members in grids:
        costs = [(list(self_paced.TITLES).index(m.tags["backbone"]), -len(m.train_on)) for m in members]
        assert costs == sorted(costs)
        assert costs[0] == (0, -3)


def test_a_finished_run_is_not_trained_again(trained):
    folder = trained.study.folder / "members"
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.safetensors")}
    again = trained.study.train()
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("*.safetensors")} == before
    assert [r.key for r in again.records] == [r.key for r in trained.records]


def test_the_recipe_is_that_of_the_paper():
    """Spec self_paced_balance, section 4."""
    for name in ("paper", "iemocap", "meld", "mosi_utterances", "ravdess", "ravdess_actors", "quick"):
        p = papers.load(ROOT / "params" / "self_paced_balance" / f"{name}.yaml", results="-")
        for backbone, setting in p.backbones.chosen().items():
            recipe = self_paced.recipe(p, backbone, self_paced.PLAIN)
            assert (recipe.algorithm, recipe.loss, recipe.weight_decay) == ("adam", "cross_entropy", 1e-8)
            assert (recipe.clip_norm, recipe.select_by, recipe.ties) == (2.0, "weighted_f1", "earlier")
            assert (recipe.reshuffle, recipe.drop_last, recipe.plateau_patience) == (True, False, None)
            assert recipe.evaluation_batch == recipe.batch_size == p.batch_size
            assert recipe.epochs == setting.epochs


def test_published_sizes_give_the_published_numbers_of_weights():
    """Spec self_paced_balance, 4.2, less the parameters that the reference creates and never uses (quirks 5 and
    2.7)."""
    p = papers.load(ROOT / "params" / "self_paced_balance" / "iemocap.yaml", results="-")
    corpus = replace_widths(p.widths)
    with torch.device("meta"):
        sizes = {
            name: sum(w.numel() for w in self_paced.model(p, corpus, name, "atv").build().parameters())
            for name in p.backbones.chosen()
        }
    millions = {"mmgcn": 35.06, "mm_dfn": 37.44, "dialogue_gcn": 36.73, "biddin": 6.96, "late_fusion": 34.60}
    unused = {"mmgcn": 2 * 256, "mm_dfn": 2 * 300, "biddin": 3 * (100 * 6 + 6 + 200 * 200)}
    assert {name: round((size + unused.get(name, 0)) / 1e6, 2) for name, size in sizes.items()} == millions


def replace_widths(widths) -> Corpus:
    corpus = corpus_of(given(seeds=[0]))
    fake = object.__new__(Corpus)
    fake.__dict__.update(corpus.__dict__ | {"modalities": {m: widths[m] for m in corpus.modalities}})
    return fake


def test_what_is_published_is_the_default_and_mends_are_options():
    p = given(backbones=EVERY)
    corpus = corpus_of(p)
    for backbone in EVERY:
        plain = self_paced.model(p, corpus, backbone, "atv").arguments
        assert not {"attention_axis", "padding_mask", "attention_over", "weighted_relations"} & set(plain)
        assert list(plain["input_sizes"]) == ["audio", "text", "video"], "in the order of the letters"
        masked = self_paced.model(p, corpus, backbone, "tv", "masks").arguments
        assert masked["padding_mask"] is True
        assert list(masked["input_sizes"]) == ["text", "video"]
        assert masked.get("attention_axis") == ("dialogue" if backbone == "biddin" else None)
        assert ("speakers" in plain) == (backbone in ("biddin", "dialogue_gcn"))
    assert self_paced.model(p, corpus, "biddin", "at", "axis").arguments["attention_axis"] == "dialogue"
    assert self_paced.subsets(p, "mmgcn", "axis") == ()
    selected = self_paced.member(p, corpus, 0, "mmgcn", "at", spcl=True, mend="selected")
    assert selected.recipe.curriculum.over == "selected"
    assert selected.model == self_paced.model(p, corpus, "mmgcn", "at")


@pytest.mark.parametrize("backbone", EVERY)
def test_spcl_off_is_plain_training_bit_for_bit(backbone):
    p = given(backbones=EVERY, dataset="meld_conversations_like", samples=30)
    corpus = corpus_of(p)
    splits = {name: corpus.batches(name) for name in corpus.splits}
    off = self_paced.member(p, corpus, 0, backbone, "atv", spcl=False)
    plain = replace(off, recipe=replace(off.recipe, curriculum=None))
    on = self_paced.member(p, corpus, 0, backbone, "atv", spcl=True)
    a, b, c = (train(m, splits, SeededStreams(0)) for m in (off, plain, on))
    assert all(torch.equal(a.best_state[name], b.best_state[name]) for name in b.best_state)
    assert all(torch.equal(a.outputs[name], b.outputs[name]) for name in b.outputs)
    assert b.history.items() <= a.history.items()
    assert c.history["train_loss"] != a.history["train_loss"]
    assert np.isfinite(c.history["train_loss"]).all()
    lengths = corpus.splits["train"].lengths
    assert (lengths == 1).any(), "dialogues of one utterance are among them"


@pytest.mark.parametrize("backbone", ["biddin", "dialogue_gcn"])
def test_more_speakers_than_declared_end_the_run_with_one_line(backbone, tmp_path):
    p = given(backbones=EVERY, seeds=[0])
    corpus = corpus_of(p)
    corpus.splits["train"].speakers[0, 0] = 2
    member = self_paced.member(p, corpus, 0, backbone, "at", spcl=True)
    with pytest.raises(InputError, match="speaker ids 0 to 2 in a batch, but the model was built for 2 speakers"):
        sweep([member], corpus, tmp_path, device="cpu")
    assert not list(tmp_path.glob("*.safetensors"))


def test_thresholds_are_those_of_the_readme():
    p = given(pace="meld", backbones=EVERY, mends=[], mend_subsets=[])
    assert self_paced.paces(p, "biddin", "at") == (1.0, 1.05)
    assert self_paced.paces(p, "mmgcn", "av") == (0.4, 1.6)
    assert self_paced.paces(p, "mm_dfn", "tv") == (0.2, 1.8)
    assert self_paced.paces(given(pace="iemocap"), "dialogue_gcn", "av") == (0.8, 1.25)
    assert self_paced.paces(p, "late_fusion", "atv") == self_paced.DEFAULTS == (0.4, 1.25)
    assert self_paced.paces(given(), "biddin", "at") == (0.3, 1.5)
    with pytest.raises(InputError, match="no published threshold for biddin a on meld"):
        self_paced.published_pace("meld", "biddin", "a")


def test_the_published_contradictions_are_named():
    """Spec self_paced_balance, 4.2."""
    assert self_paced.conflicts() == [
        "meld biddin at: scripts/train_biddin.sh has threshold 0.7 and growth 1.85, the README 1 and 1.05",
        "meld mmgcn av: scripts/train_mmgcn.sh has threshold 0.4 and growth 1.7, the README 0.4 and 1.6",
    ]


def test_epochs_to_the_cap():
    """Spec self_paced_balance, section 3."""
    assert self_paced.epochs_to_cap(0.7, 1.85) == 8
    assert self_paced.epochs_to_cap(0.75, 1.05) > 50
    assert self_paced.epochs_to_cap(60.0, 1.0) == 0
    assert self_paced.epochs_to_cap(1.0, 1.0) is None


def test_widths_are_checked_against_the_data():
    with pytest.raises(InputError, match=r"feature widths \{'text': 32, .*\}, expected .*; correct `widths`"):
        self_paced.study(given(widths={"audio": 512, "text": 768, "video": 1024}))
    self_paced.study(given(widths={"audio": 24, "text": 32, "video": 48}))


def test_scores_are_those_of_the_outputs(trained):
    table, test = trained.table, trained.study.tasks[1].corpus.splits["test"]
    record = next(r for r in trained.records if r.variant == "MMGCN at + SPCL" and r.seed == 1)
    flat = np.concatenate([row[:n] for row, n in zip(test.labels, test.lengths, strict=True)])
    expected = metrics.classification(record.outputs["test"], flat, 6)
    mine = table[(table["variant"] == record.variant) & (table["seed"] == 1) & (table["split"] == "test")]
    assert dict(zip(mine["metric"], mine["value"], strict=True)) == pytest.approx(expected, nan_ok=True)
    assert set(table["selected_on"]) == {"epoch: validation weighted F1; threshold and growth: fixed in the YAML"}
    assert len(tables.scores(table, "acc")) == 8


def test_classes_confusions_and_curves(trained):
    task, _ = trained.study.tasks
    classes = tables.classes(trained)
    assert list(classes["class"]) == [*task.corpus.label_names] * 2
    size = int((task.corpus.splits["test"].labels >= 0).sum())
    assert classes.groupby("backbone")["test utterances"].sum().to_dict() == {"BiDDIN": size, "MMGCN": size}
    titles = dict(zip(("without SPCL", "with SPCL"), self_paced.pair("mmgcn", "atv"), strict=True))
    panels = trained.confusion(task, titles)
    assert [title for title, _ in panels] == ["without SPCL", "with SPCL"]
    assert [counts.sum() for _, counts in panels] == [2 * size] * 2, "of the tasks of both seeds"
    curves = tables.curves(trained)
    on, off = curves[curves["spcl"] == 1], curves[curves["spcl"] == 0]
    assert set(on["threshold"].round(9)) == {0.3, 0.45}
    assert off["threshold"].isna().all()
    assert (off["selected_share"] == 1).all()
    assert on["selected_share"].between(0, 1).all()
    assert {"ratio_text", "ratio_audio", "ratio_video"} <= set(curves)
    assert len(curves) == 2 * 2 * 2 * 2  # backbones, with and without, seeds, epochs
    assert len(conclusions.balance(curves)) == 2


def test_a_lost_seed_is_said_in_the_title_of_a_confusion_matrix_and_is_not_asked(trained):
    done = [
        (task, member, replace(record, status=run_records.DIVERGED, weights="", outputs={}))
        if (record.variant, record.seed) == ("MMGCN atv", 0)
        else (task, member, record)
        for task, member, record in trained.done
    ]
    runs, task = replace(trained, done=done), trained.study.tasks[0]
    ((title, counts),) = runs.confusion(task, {"without SPCL": "MMGCN atv"})
    assert title == "without SPCL (1 of 2 seeds)"
    assert counts.sum() == (task.corpus.splits["test"].labels >= 0).sum()
    assert [run.seed for run in runs.trained(["MMGCN atv"])] == [1]


def test_every_backbone_is_asked_on_its_seeds_corpus(trained):
    models = [*self_paced.pair("biddin", "atv"), *self_paced.pair("mmgcn", "atv")]
    runs, table = trained.trained(models), trained.table
    assert {run.name for run in runs} == set(models)
    scores = table[(table["metric"] == "weighted_f1") & (table["split"] == "test")].set_index(["variant", "seed"])
    for run in runs:
        assert run.absence == ZEROS
        assert run.plain() == scores["value"][run.name, run.seed]
    assert sorted({run.seed for run in runs}) == [0, 1]


@pytest.fixture(scope="module")
def folds(tmp_path_factory):
    """A whole small run on a corpus of two modalities, whose seeds test different folds."""
    root = tmp_path_factory.mktemp("ravdess")
    write_ravdess(root / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRISE_CACHE", str(root / "cache"))
        p = given(
            data_root=str(root / "data"),
            results=str(root / "run"),
            dataset="ravdess_dialogues",
            samples=0,
            corpus_options={"fold": "by_seed", "dialogues": "actor"},
            subsets=["av", "a", "v"],
            backbones=EVERY,
            mends=[],
            mend_subsets=[],
        )
        return self_paced.study(p).train()


def test_two_modalities_have_spcl_one_has_not_and_mm_dfn_has_no_one(folds):
    assert all(record.status == run_records.FINISHED for record in folds.records)
    titles = {self_paced.TITLES[name] for name in EVERY}
    both = {f"{title} av{rest}" for title in titles for rest in ("", " + SPCL")}
    one = {f"{title} {modality}" for title in titles - {"MM-DFN"} for modality in "av"}
    assert {record.variant for record in folds.records} == both | one


def test_each_seed_tests_its_fold_and_tables_count_all_of_them(folds):
    tested = [task.corpus.splits["test"].ids for task in folds.study.tasks]
    assert tested == [("actor 01", "actor 02", "actor 03"), ("actor 04", "actor 05", "actor 06")]
    for task, _, record in folds.done:
        assert task is folds.study.tasks[record.seed]
    said = self_paced.development_sets(folds.study)
    assert said.startswith("The 2 seeds test 2 different folds, 18 utterances in all")
    assert tables.classes(folds).groupby("backbone")["test utterances"].sum().tolist() == [18] * 5
    ((_, counts),) = folds.confusion(folds.study.tasks[0], ["MMGCN av"])
    assert counts.sum() == 18
    asked = folds.trained([*self_paced.pair("mmgcn", "av")])
    scores = folds.table.query("metric == 'weighted_f1' and split == 'test'").set_index(["variant", "seed"])["value"]
    assert {(run.name, run.seed): run.plain() for run in asked} == {
        (name, seed): scores[name, seed] for name in self_paced.pair("mmgcn", "av") for seed in (0, 1)
    }
    curves = tables.curves(folds)
    assert {name for name in curves if name.startswith("ratio_")} == {"ratio_audio", "ratio_video"}
    assert all("two modalities: in the first epoch" in sentence for sentence in conclusions.balance(curves))


def test_units_are_the_actors_of_each_fold(folds, trained):
    found = tables.effect(folds, "weighted_f1")
    assert set(found["unit"]) == {"speaker"} and set(found["units"]) == {6} and set(found["folds"]) == {2}
    left = folds.without_units("acc")
    assert left["MMGCN av", 1].names == ("actor 04", "actor 05", "actor 06")
    dialogues = trained.without_units("f1_class_0")["MMGCN atv", 0]
    assert dialogues.unit == "dialogue" and set(dialogues.names) == set(
        trained.study.tasks[0].corpus.splits["test"].ids
    )
    classes = tables.classes(trained)
    assert set(classes["unit"]) == {"dialogue"} and "holm_p" in classes


def test_modalities_that_a_corpus_lacks_are_named(folds):
    p = folds.study.p.model_copy(update={"subsets": ("atv", "av")})
    with pytest.raises(InputError, match="RAVDESS, joined by actor: no modality text; there are: audio, video"):
        self_paced.study(p)


def test_a_stand_in_is_never_compared_with_the_paper(trained):
    p, source = trained.study.p, trained.study.tasks[0].corpus.source
    found = tables.published_gains(trained)
    assert len(found) == 8 * 2 * 2
    assert set(found["verdict"]) == {
        "not comparable: stand-in data, different corpus",
        "not comparable: stand-in data, different corpus, not run",
    }
    assert found["difference"].isna().all()
    claims = tables.published_claims(p, source, tables.effect(trained, "weighted_f1"))
    assert list(claims["paper"]) == [1.2, 6.6, 10.4]
    assert all(verdict.startswith("not comparable: stand-in data") for verdict in claims["verdict"])


def test_floor_ceiling_and_settings(trained):
    p, corpus = trained.study.p, trained.study.tasks[0].corpus
    floor = self_paced.floor(corpus)
    labels = self_paced.flat_labels(corpus, "test")
    commonest = corpus.label_names.index(floor["prediction"].iloc[0].removeprefix("always "))
    assert floor["acc"].iloc[0] == pytest.approx((labels == commonest).mean())
    references = self_paced.references(corpus, "acc", "atv")
    assert references["best possible, three modalities"] == corpus.source.ceilings["text+audio+video"]["acc"]
    assert references[floor["prediction"].iloc[0]] == floor["acc"].iloc[0]
    assert list(self_paced.ceilings(corpus))[:2] == ["from", "acc"]
    assert list(self_paced.settings(p)["cap after epochs"]) == ["14"] * 4
    assert self_paced.describe(corpus)["dialogues"].sum() == 25
    sentences = conclusions.bounds(corpus, tables.effect(trained, "weighted_f1"))
    assert "the best possible decision" in sentences[0]


def test_the_manifest_says_what_chose_what(trained):
    Report(trained.study).finish(trained, self_paced.selected_on(trained.study.p))
    written = pd.read_json(trained.study.folder / "manifest.json", typ="series")
    assert written["run"]["selected_on"]["epoch"] == "development weighted F1 (strictly greater)"
    (source,) = written["data"]
    rules = {task.corpus.source.split_rule for task in trained.study.tasks}
    assert len(rules) == 2, "one per development set"
    assert all(rule in source["split_rule"] for rule in rules)
    assert source["synthetic"]
