"""The text branches on CMU-MOSEI's sentences: which features each reads, what is trained, where the numbers stand."""

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from lib import params
from lib.data import pretrained
from lib.data.text import frozen
from lib.errors import InputError
from lib.minilm import Layer
from lib.papers.end_to_end import EndToEnd, conclusions, tables
from lib.papers.end_to_end import study as e2e
from lib.reporting import published
from lib.training.records import load_weights
from tests.data.mosei.test_mosei_branches import write_parts
from tests.data.parts import pinned
from tests.papers.notebook_cells import run_cells

SETTING = {"learning_rate": 0.01, "epochs": 1, "batch_size": 4, "early_stop": 5}
MODELS = ("lf_rnn", "lf_transformer", "minilm", "minilm_first", "minilm_tuned")
GIVEN = {
    "dataset": "mosei_text",
    "samples": None,
    "models": dict.fromkeys(MODELS, SETTING) | {"mme2e": None, "mme2e_sparse": None},
    "modalities": ["text"],
    "changes": [],
    "baseline_layers": 1,
    "text_encoder": None,
    "text_max_len": 8,
    "text_lr_factor": 10,
    "seeds": [0, 1],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("mosei")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRISE_CACHE", str(root / "cache"))
        (root / "data").mkdir()
        write_parts(root / "data", patch)
        layer = Layer(384, 12, 1536).state_dict()
        path = root / "data" / "model.safetensors"
        save_file({f"encoder.layer.5.{name}": weight for name, weight in layer.items()}, path)
        part = pinned("minilm", root / "data", ("vocab.txt", "model.safetensors"))
        patch.setitem(frozen.PARTS, "minilm", part)  # the readers have the same dictionary
        patch.setattr(e2e, "PARTS", frozen.PARTS)
        yield root


@pytest.fixture(scope="module")
def trained(folder):
    given = GIVEN | {"results": str(folder / "run"), "data_root": str(folder / "data")}
    p = params.check(EndToEnd, given, where="test")
    corpora = e2e.load_corpora(p)
    return p, corpora, e2e.study(p, corpora).train()


def test_each_branch_reads_its_form_of_the_same_utterances(trained):
    _, corpora, runs = trained
    forms = {member.tags["model"]: task.corpus.options["form"] for task, member, _ in runs.done}
    assert forms == {
        "lf_rnn": "words",
        "lf_transformer": "words",
        "minilm": "sentences",
        "minilm_first": "states",
        "minilm_tuned": "states",
    }
    assert len(runs.study.tasks) == 3 and len({task.corpus.splits["test"].ids for task in runs.study.tasks}) == 1
    assert e2e.exclusive(corpora.any) is False and "class_acc" not in set(runs.table["metric"])


def test_only_the_tuned_layer_leaves_its_released_weights(trained, folder):
    _, _, runs = trained
    released = load_file(folder / "data" / "model.safetensors")
    name = "encoder.layer.5.output.dense.weight"
    for _, member, record in runs.done:
        if member.tags["model"] in ("minilm_first", "minilm_tuned"):
            kept = load_weights(folder / "run" / "members", record)[name]
            assert kept.equal(released[name]) == (member.tags["model"] == "minilm_first")
    recipes = {member.tags["model"]: member.recipe for _, member, _ in runs.done}
    assert recipes["minilm_tuned"].groups == {"text_lr_factor": 10.0} and recipes["minilm_first"].groups is None


def test_the_papers_numbers_stand_beside_without_a_verdict(trained):
    p, corpora, runs = trained
    found = tables.comparison_table(runs, corpora, tables.paper(p.kind))
    assert set(found["quantity"]) >= {"weighted_acc", "f1_positive"}
    ours = found[(found["variant"] == "LF-LSTM") & (found["quantity"] == "f1_positive")].iloc[0]
    assert ours["verdict"].startswith(published.FEWER_MODALITIES + published.TEXT_ONLY)
    assert "word vectors of 50 numbers instead of 300" in ours["verdict"]
    assert ours["difference"] == pytest.approx(ours["reproduced"] - 0.433)
    assert not found["quantity"].str.startswith("gain").any()  # over FE2E, which was not run
    minilm = found[found["variant"] == "MiniLM frozen"]
    assert minilm["verdict"].str.contains("not published").all()


def test_the_manifest_says_what_stands_in_alberts_place(trained):
    p, _, _ = trained
    told = e2e.selected_on(p)["text encoder"]
    assert "GloVe vectors of 50 numbers" in told and "in ALBERT's place" in told
    assert conclusions.provenance(p, trained[1]).startswith("Measured on CMU-MOSEI (text, emotions)")
    assert "parts/minilm/model.safetensors" in p.further_files()
    assert set(p.further_files()) >= {file.path for file in pretrained.PARTS["glove_6b_50d"].files}


def test_the_whole_notebook(folder, monkeypatch):
    finished = run_cells("end_to_end_sparse", folder / "notebook", monkeypatch, **GIVEN, data_root=str(folder / "data"))
    assert "CMU-MOSEI (text, emotions), MiniLM in ALBERT's place, real data" in finished.text
    assert "SYNTHETIC" not in finished.text
    worth = finished.table("gain_worth")
    # Over two kinds of word vectors and over the frozen network, in two metrics.
    assert len(worth) == (3 * 2 + 2) * 2 and set(worth["unit"]) == {"video"}
    branches = finished.table("text_branches")
    assert set(branches["baseline"]) == {"MiniLM frozen, first token"}
    assert list(dict.fromkeys(branches["variant"])) == ["MiniLM, last layer tuned, first token", "MiniLM frozen"]
    whole = finished.table("published_all_f1_positive").set_index("model")
    assert whole.loc[["FE2E", "MESM 0.5", "MulT", "EEA"], "average"].tolist() == pytest.approx(
        [0.474, 0.468, 0.452, 0.442]
    )
    assert (
        set(whole["whose"]) == {"published", "here"} and (whole.loc[whole["whose"] == "here", "read"] == "text").all()
    )
    both = whole.loc["LF-LSTM"]
    assert both["n"].tolist() == [1, 2] and both["fear"].iloc[0] == 0.222
    assert "The best model over the best on hand-crafted features" in finished.text
    overview = finished.table("overview").set_index("variant")
    assert np.isfinite(overview.loc["MiniLM, last layer tuned, first token", "f1_positive"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"models": {"mme2e": SETTING}}, "mme2e and mme2e_sparse need a text_encoder"),
        ({"modalities": ["text", "audio"]}, r"mosei_text has text alone: modalities must be \[text\]"),
        ({"dataset": "mosei_raw", "modalities": ["text"]}, "minilm, minilm_first, minilm_tuned: read mosei_text alone"),
        ({"corpus_options": {"split": "standard"}}, "mosei_text has no corpus_options"),
        (
            {
                "models": {"mme2e": SETTING},
                "text_encoder": {
                    "hidden_size": 8,
                    "layers": 1,
                    "heads": 2,
                    "intermediate_size": 8,
                    "embedding_size": 8,
                },
            },
            "mosei_text has neither sound nor images: leave mme2e out",
        ),
    ],
)
def test_what_a_corpus_of_text_lacks(changes, message):
    with pytest.raises(InputError, match=message):
        params.check(EndToEnd, GIVEN | {"results": "x"} | changes, where="test")
