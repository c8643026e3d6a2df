"""The SPCL notebook's library: which networks are trained, how, and what its tables say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from lib import papers, params
from lib.data.corpus import Corpus
from lib.errors import InputError
from lib.metrics import scores as metrics
from lib.papers import self_paced_balance as spcl
from lib.papers import spcl_conclusions, spcl_context, spcl_settings, spcl_tables
from lib.params.self_paced_balance import SelfPacedBalance
from lib.reporting import published, published_spcl
from lib.run_table import run_table
from lib.training import records as run_records
from lib.training.loop import train
from lib.training.streams import SeededStreams
from lib.training.sweep import sweep

ROOT = Path(__file__).resolve().parents[2]
SHARED = {"learning_rate": 0.01, "dropout": 0.1, "epochs": 2}
BIDDIN = SHARED | {"hidden": 4, "global_size": 4, "party_size": 4, "emotion_size": 4}
MMGCN = SHARED | {"hidden": 4}
EVERY = {
    "biddin": BIDDIN,
    "dialogue_gcn": MMGCN | {"graph_hidden": 4, "past": 2, "future": 1},
    "mm_dfn": MMGCN,
    "mmgcn": MMGCN,
    "late_fusion": MMGCN,
}
GIVEN = {
    "samples": 25,
    "dataset": "iemocap_conversations_like",
    "subsets": ["atv", "at"],
    "backbones": {"biddin": BIDDIN, "mmgcn": MMGCN},
    "layers": 1,
    "feedforward": 8,
    "pace": {"threshold": 0.3, "growth": 1.5},
    "mends": ["axis", "masks", "selected"],
    "mend_subsets": ["atv", "at"],
    "seeds": [0, 1],
    "batch_size": 8,
    "results": "results/x",
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path_factory.mktemp("cache")))


def given(**changes) -> SelfPacedBalance:
    return params.check(SelfPacedBalance, GIVEN | changes, where="test")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A whole small run: parameters, corpora by seed, records, run table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRISE_CACHE", str(tmp_path_factory.mktemp("cache")))
        p = given(results=str(tmp_path_factory.mktemp("run")))
        corpora = spcl.load_corpora(p)
        records = spcl.train_all(p, corpora)
    return p, corpora, records, spcl_tables.scores(p, corpora, records)


def test_every_variant_has_every_seed(trained):
    p, _, records, _ = trained
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
    _, corpora, records, _ = trained
    assert corpora[0].splits["test"].ids == corpora[1].splits["test"].ids
    assert corpora[0].splits["valid"].ids != corpora[1].splits["valid"].ids
    for record in records:
        assert record.tags["development"] == " ".join(corpora[record.seed].splits["valid"].ids)
        assert len(record.outputs["valid"]) == (corpora[record.seed].splits["valid"].labels >= 0).sum()
    assert "2 different development sets of 2 dialogues" in spcl_context.development_sets(corpora)


def test_seeds_share_a_corpus_whose_split_does_not_depend_on_them():
    p = given(dataset="meld_conversations_like", samples=30)
    corpora = spcl.load_corpora(p)
    assert corpora[0] is corpora[1]
    assert spcl_context.development_sets(corpora) == "All 2 seeds share the development set."


def test_a_finished_run_is_not_trained_again(trained):
    p, corpora, records, _ = trained
    before = {path.name: path.stat().st_mtime_ns for path in (Path(p.results) / "members").glob("*.safetensors")}
    again = spcl.train_all(p, corpora)
    assert {
        path.name: path.stat().st_mtime_ns for path in (Path(p.results) / "members").glob("*.safetensors")
    } == before
    assert [r.key for r in again] == [r.key for r in records]


def test_the_recipe_is_that_of_the_paper():
    """Spec spcl, section 4."""
    for name in ("paper", "iemocap", "meld", "mosi_utterances", "quick"):
        p = papers.load(ROOT / "params" / "self_paced_balance" / f"{name}.yaml", results="-")
        for backbone, setting in p.backbones.chosen().items():
            recipe = spcl.recipe(p, backbone, spcl.PLAIN)
            assert (recipe.algorithm, recipe.loss, recipe.weight_decay) == ("adam", "cross_entropy", 1e-8)
            assert (recipe.clip_norm, recipe.select_by, recipe.ties) == (2.0, "weighted_f1", "earlier")
            assert (recipe.reshuffle, recipe.drop_last, recipe.plateau_patience) == (True, False, None)
            assert recipe.evaluation_batch == recipe.batch_size == p.batch_size
            assert recipe.epochs == setting.epochs


def test_published_sizes_give_the_published_numbers_of_weights():
    """Spec spcl, 4.2, less the parameters that the reference creates and never uses (quirks 5 and 2.7)."""
    p = papers.load(ROOT / "params" / "self_paced_balance" / "iemocap.yaml", results="-")
    corpus = replace_widths(p.widths)
    with torch.device("meta"):
        sizes = {
            name: sum(w.numel() for w in spcl.model_spec(p, corpus, name, "atv").build().parameters())
            for name in p.backbones.chosen()
        }
    millions = {"mmgcn": 35.06, "mm_dfn": 37.44, "dialogue_gcn": 36.73, "biddin": 6.96, "late_fusion": 34.60}
    unused = {"mmgcn": 2 * 256, "mm_dfn": 2 * 300, "biddin": 3 * (100 * 6 + 6 + 200 * 200)}
    assert {name: round((size + unused.get(name, 0)) / 1e6, 2) for name, size in sizes.items()} == millions


def replace_widths(widths) -> Corpus:
    corpus = spcl.load_corpora(given(seeds=[0]))[0]
    fake = object.__new__(Corpus)
    fake.__dict__.update(corpus.__dict__ | {"modalities": {m: widths[m] for m in corpus.modalities}})
    return fake


def test_what_is_published_is_the_default_and_mends_are_options():
    p = given(backbones=EVERY)
    corpus = spcl.load_corpora(p)[0]
    for backbone in EVERY:
        plain = spcl.model_spec(p, corpus, backbone, "atv").arguments
        assert not {"attention_axis", "padding_mask", "attention_over", "weighted_relations"} & set(plain)
        assert list(plain["input_sizes"]) == ["audio", "text", "video"], "in the order of the letters"
        masked = spcl.model_spec(p, corpus, backbone, "tv", "masks").arguments
        assert masked["padding_mask"] is True
        assert list(masked["input_sizes"]) == ["text", "video"]
        assert masked.get("attention_axis") == ("dialogue" if backbone == "biddin" else None)
        assert ("speakers" in plain) == (backbone in ("biddin", "dialogue_gcn"))
    assert spcl.model_spec(p, corpus, "biddin", "at", "axis").arguments["attention_axis"] == "dialogue"
    assert not spcl.mended("mmgcn", "axis")
    selected = spcl.member(p, corpus, 0, "mmgcn", "at", spcl=True, mend="selected")
    assert selected.recipe.curriculum.over == "selected"
    assert selected.model == spcl.model_spec(p, corpus, "mmgcn", "at")


@pytest.mark.parametrize("backbone", EVERY)
def test_spcl_off_is_plain_training_bit_for_bit(backbone):
    p = given(backbones=EVERY, dataset="meld_conversations_like", samples=30)
    corpus = spcl.load_corpora(p)[0]
    splits = {name: corpus.batches(name) for name in corpus.splits}
    off = spcl.member(p, corpus, 0, backbone, "atv", spcl=False)
    plain = replace(off, recipe=replace(off.recipe, curriculum=None))
    on = spcl.member(p, corpus, 0, backbone, "atv", spcl=True)
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
    corpus = spcl.load_corpora(p)[0]
    corpus.splits["train"].speakers[0, 0] = 2
    member = spcl.member(p, corpus, 0, backbone, "at", spcl=True)
    with pytest.raises(InputError, match="speaker ids 0 to 2 in a batch, but the model was built for 2 speakers"):
        sweep([member], corpus, tmp_path, device="cpu")
    assert not list(tmp_path.glob("*.safetensors"))


def test_thresholds_are_those_of_the_readme():
    p = given(pace="meld", backbones=EVERY, mends=[], mend_subsets=[])
    assert spcl.paces(p, "biddin", "at") == (1.0, 1.05)
    assert spcl.paces(p, "mmgcn", "av") == (0.4, 1.6)
    assert spcl.paces(p, "mm_dfn", "tv") == (0.2, 1.8)
    assert spcl.paces(given(pace="iemocap"), "dialogue_gcn", "av") == (0.8, 1.25)
    assert spcl.paces(p, "late_fusion", "atv") == spcl_settings.DEFAULTS == (0.4, 1.25)
    assert spcl.paces(given(), "biddin", "at") == (0.3, 1.5)
    with pytest.raises(InputError, match="no published threshold for biddin a on meld"):
        spcl_settings.pace("meld", "biddin", "a")


def test_the_published_contradictions_are_named():
    """Spec spcl, 4.2."""
    assert spcl_settings.conflicts() == [
        "meld biddin at: scripts/train_biddin.sh has threshold 0.7 and growth 1.85, the README 1 and 1.05",
        "meld mmgcn av: scripts/train_mmgcn.sh has threshold 0.4 and growth 1.7, the README 0.4 and 1.6",
    ]


def test_epochs_to_the_cap():
    """Spec spcl, section 3."""
    assert spcl_settings.epochs_to_cap(0.7, 1.85) == 8
    assert spcl_settings.epochs_to_cap(0.75, 1.05) > 50
    assert spcl_settings.epochs_to_cap(60.0, 1.0) == 0
    assert spcl_settings.epochs_to_cap(1.0, 1.0) is None


def test_widths_are_checked_against_the_data():
    with pytest.raises(InputError, match=r"feature widths \{'text': 32, .*\}, expected .*; correct `widths`"):
        spcl.load_corpora(given(widths={"audio": 512, "text": 768, "video": 1024}))
    spcl.load_corpora(given(widths={"audio": 24, "text": 32, "video": 48}))


def test_scores_are_those_of_the_outputs(trained):
    _, corpora, records, table = trained
    record = next(r for r in records if r.variant == "MMGCN at + SPCL" and r.seed == 1)
    labels = corpora[1].splits["test"].labels
    flat = np.concatenate([row[:n] for row, n in zip(labels, corpora[1].splits["test"].lengths, strict=True)])
    expected = metrics.classification(record.outputs["test"], flat, 6)
    mine = table[(table["variant"] == record.variant) & (table["seed"] == 1) & (table["split"] == "test")]
    assert dict(zip(mine["metric"], mine["value"], strict=True)) == pytest.approx(expected, nan_ok=True)
    assert set(table["selected_on"]) == {"epoch: validation weighted F1; threshold and growth: fixed in the YAML"}
    assert len(spcl_tables.score_table(table, "acc")) == 8


def fake(values: dict[str, list[float]], metric: str = "weighted_f1", mend: str = "") -> list[dict]:
    return [
        {
            "variant": variant,
            "seed": seed,
            "metrics": {"test": {metric: value, "acc": value}},
            "selected_on": "-",
            "status": "finished",
            "mend": mend,
        }
        for variant, scores in values.items()
        for seed, value in enumerate(scores)
    ]


TRI_AND_BI = {
    "MMGCN atv": [0.60, 0.62, 0.61],
    "MMGCN atv + SPCL": [0.66, 0.69, 0.66],
    "MMGCN at": [0.50, 0.62, 0.64],
    "MMGCN at + SPCL": [0.50, 0.62, 0.64],
}


def mmgcn_only(**changes) -> SelfPacedBalance:
    return given(backbones={"mmgcn": MMGCN}, seeds=[0, 1, 2], **changes)


def test_gains_of_three_modalities_over_two_by_both_formulas():
    p, table = mmgcn_only(), run_table(fake(TRI_AND_BI))
    found = spcl_tables.trimodal_table(p, table, "weighted_f1").set_index("spcl")
    assert found.loc["without", "gain_points"] == pytest.approx(100 * np.mean([0.10, 0.00, -0.03]))
    assert found.loc["without", "gain_relative"] == pytest.approx(100 * np.mean([0.10 / 0.5, 0, -0.03 / 0.64]))
    assert found.loc["with - without", "gain_points"] == pytest.approx(100 * np.mean([0.06, 0.07, 0.05]))
    assert found["verdict"].to_dict() == {"without": "neutral", "with": "neutral", "with - without": "positive"}
    sentences = " ".join(spcl_conclusions.trimodal(found.reset_index()))
    assert "Without SPCL, three modalities score below two in 0 of 1 comparisons by the mean" in sentences
    assert "+6.00 points on average" in sentences


def test_the_effect_of_spcl_is_paired_over_the_seeds():
    p, table = mmgcn_only(), run_table(fake(TRI_AND_BI))
    found = spcl_tables.effect_table(p, table, "weighted_f1").set_index("modalities")
    assert found.loc["atv", "gain"] == pytest.approx(0.06)
    assert found.loc["atv", "gain_std"] == pytest.approx(0.01)
    assert found.loc["atv", "verdict"] == "positive"
    assert (found.loc["at", ["gain", "without", "with_spcl"]] == [0.0, *[found.loc["at", "without"]] * 2]).all()
    sentences = spcl_conclusions.effects(found.reset_index())
    assert "2 comparisons: 1 positive, 1 neutral" in sentences[0]
    assert "between +0.00 points (MMGCN at) and +6.00 points (MMGCN atv)" in sentences[0]


def test_a_mend_that_undoes_the_effect_changes_the_verdict():
    p = mmgcn_only(mends=["selected"], mend_subsets=["atv", "at"])
    mended = {
        "MMGCN atv + SPCL, selected": TRI_AND_BI["MMGCN atv"],
        "MMGCN at + SPCL, selected": TRI_AND_BI["MMGCN at + SPCL"],
    }
    table = run_table(fake(TRI_AND_BI) + fake(mended, mend="selected"))
    claims = spcl_tables.mend_table(p, table, "weighted_f1").set_index("quantity")
    row = claims.loc["SPCL on atv"]
    assert (row["as_published"], row["mended"]) == (pytest.approx(6.0), 0.0)
    assert (row["verdict_published"], row["verdict_mended"]) == ("positive", "neutral")
    assert claims.loc["atv over at, with SPCL", "mended"] == pytest.approx(100 * np.mean([0.10, 0.00, -0.03]))
    scores = spcl_tables.mend_scores(p, table, "weighted_f1")
    assert list(scores["spcl"]) == ["with", "with"]
    sentence = spcl_conclusions.mends(claims.reset_index(), scores)[0]
    assert "1 of 3 verdicts on the claims change: MMGCN SPCL on atv from positive to neutral" in sentence


def test_classes_confusions_and_curves(trained):
    p, corpora, records, table = trained
    classes = spcl_tables.class_table(p, corpora[0], table)
    assert list(classes["class"]) == [*corpora[0].label_names] * 2
    size = int((corpora[0].splits["test"].labels >= 0).sum())
    assert classes.groupby("backbone")["test utterances"].sum().to_dict() == {"BiDDIN": size, "MMGCN": size}
    panels = spcl_tables.confusion_panels(corpora, records, "mmgcn")
    assert [title for title, _ in panels] == ["without SPCL", "with SPCL"]
    assert [counts.sum() for _, counts in panels] == [2 * size] * 2
    lost = [r for r in records if (r.variant, r.seed) != ("MMGCN atv", 0)]
    assert spcl_tables.confusion_panels(corpora, lost, "mmgcn")[0][0] == "without SPCL (1 of 2 seeds)"
    curves = spcl_tables.curves(p, records)
    on, off = curves[curves["spcl"] == 1], curves[curves["spcl"] == 0]
    assert set(on["threshold"].round(9)) == {0.3, 0.45}
    assert off["threshold"].isna().all()
    assert (off["selected_share"] == 1).all()
    assert on["selected_share"].between(0, 1).all()
    assert {"ratio_text", "ratio_audio", "ratio_video"} <= set(curves)
    assert len(curves) == 2 * 2 * 2 * 2  # backbones, with and without, seeds, epochs
    assert len(spcl_conclusions.balance(curves)) == 2


def test_a_stand_in_is_never_compared_with_the_paper(trained):
    p, corpora, _, table = trained
    paper = published.load()
    found = spcl_context.comparison_table(p, corpora[0], table, published_spcl.gains(paper))
    assert len(found) == 8 * 2 * 2
    assert set(found["verdict"]) == {
        "not comparable: stand-in data, different corpus",
        "not comparable: stand-in data, different corpus, not run",
    }
    assert found["difference"].isna().all()
    effect = spcl_tables.effect_table(p, table, "weighted_f1")
    claims = spcl_context.claims_table(p, corpora[0], effect, published_spcl.claims(paper))
    assert list(claims["paper"]) == [1.2, 6.6, 10.4]
    assert all(verdict.startswith("not comparable: stand-in data") for verdict in claims["verdict"])


def test_the_papers_own_corpus_is_judged(trained):
    """MMGCN's published bars are +0.01 over T+A and +3.68 over A+V points or per cent of weighted F1."""
    _, corpora, _, _ = trained
    p = papers.load(ROOT / "params" / "self_paced_balance" / "paper.yaml", results="-")
    p = p.model_copy(update={"backbones": p.backbones.model_copy(update=dict.fromkeys(("biddin", "mm_dfn")))})
    real = replace(corpora[0], source=replace(corpora[0].source, synthetic=False))
    scores = {"MMGCN atv": [0.66, 0.665, 0.67, 0.66, 0.665], "MMGCN at": [0.66, 0.664, 0.67, 0.661, 0.665]}
    scores["MMGCN av"] = [0.62, 0.63, 0.635, 0.625, 0.63]
    scores["MMGCN tv"] = scores["MMGCN at"]
    scores |= {f"DialogueGCN {subset}": [0.60, 0.61, 0.605, 0.6, 0.61] for subset in p.subsets}
    table = run_table([run | {"seed": 12 + run["seed"]} for run in fake(scores)])
    found = spcl_context.comparison_table(p, real, table, published_spcl.gains(published.load()))
    points = found[found["quantity"] == "gain_points of weighted_f1"].set_index("variant")
    assert points.loc["MMGCN: atv over av", "verdict"] == "reproduced"
    assert points.loc["MMGCN: atv over at", "difference"] == pytest.approx(0.0 - 0.01, abs=1e-9)
    assert points.loc["DialogueGCN: atv over at", "verdict"] == "not reproduced"
    assert points.loc["BiDDIN: atv over av", "verdict"] == "not comparable: not run"
    changed = spcl_context.deviations(p.model_copy(update={"feedforward": 64, "batch_size": 8}))
    assert changed == ["batches of 8 dialogues instead of 16 or 32", "feed-forward width 64 instead of 2048"]


def test_the_legend_of_the_published_figure_is_followed():
    gains = published_spcl.gains(published.load()).set_index(["variant", "metric"])["value"]
    assert gains["DialogueGCN: atv over at", "weighted_f1"] == -1.18
    assert gains["MMGCN: atv over av", "acc"] == 3.53
    assert len(gains) == 2 + 4 * 2 * 2


def test_floor_ceiling_and_settings(trained):
    p, corpora, _, table = trained
    corpus = corpora[0]
    floor = spcl_context.floor_table(corpus)
    labels = spcl_tables.flat_labels(corpus, "test")
    commonest = corpus.label_names.index(floor["prediction"].iloc[0].removeprefix("always "))
    assert floor["acc"].iloc[0] == pytest.approx((labels == commonest).mean())
    references = spcl_context.references(corpus, floor, "acc")
    assert references["best possible, three modalities"] == corpus.source.ceilings["text+audio+video"]["acc"]
    assert list(spcl_context.ceiling_table(corpus))[:2] == ["from", "acc"]
    settings = spcl_context.setting_table(p)
    assert list(settings["cap after epochs"]) == ["14"] * 4
    assert spcl_context.corpus_table(corpus)["dialogues"].sum() == 25
    sentences = spcl_conclusions.bounds(corpus, floor, spcl_tables.effect_table(p, table, "weighted_f1"))
    assert "the best possible decision" in sentences[0]
    assert spcl_conclusions.provenance(corpus).endswith("stand-in data show the mechanism, not the corpus.")


def test_the_manifest_says_what_chose_what(trained, tmp_path):
    p, corpora, records, _ = trained
    spcl_context.write_manifest(p, corpora, records, seconds=1.0)
    written = pd.read_json(Path(p.results) / "manifest.json", typ="series")
    assert written["run"]["selected_on"]["epoch"] == "development weighted F1 (strictly greater)"
    assert len(written["data"]) == 2, "one source per development set"
    assert all(source["synthetic"] for source in written["data"])
