"""`run_all.sh export` and `predict`: what is written, what is printed, what is refused in one line."""

import numpy as np
import pandas as pd
import pytest
import yaml

from lib import study as studies
from lib.errors import InputError
from lib.export.loading import load_trained
from lib.files import WORKSPACE
from lib.workflow import cli, export_command, runs, usage
from lib.workflow.runs import EXPORTED, Run
from lib.workflow.usage import parse
from tests.export.exported_runs import TINY, record_of, tiny_study

NOTEBOOK = "iemocap_negative_colearning"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A workspace with one finished run, and its model exported."""
    root = tmp_path_factory.mktemp("workspace")
    quick = yaml.safe_load((WORKSPACE / "params" / NOTEBOOK / "quick.yaml").read_text())
    path = root / "params" / NOTEBOOK / "tiny.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump(quick | TINY[NOTEBOOK]))
    (root / "params" / "summary").mkdir()
    (root / "params" / "summary" / "quick.yaml").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRISE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("REPRISE_DATA", str(root / "data"))
        patch.setattr(runs, "ROOT", root)
        patch.setattr(export_command, "ROOT", root)
        patch.setattr(studies, "WORKSPACE", root)
        trained = tiny_study(NOTEBOOK, root / "results" / NOTEBOOK / "tiny").train()
        yield root, trained


def ended(capsys, *arguments: object) -> tuple[int, str, str]:
    code = cli.main(list(map(str, arguments)))
    return code, *capsys.readouterr()


@pytest.fixture
def model(workspace, capsys):
    root, _ = workspace
    code, out, _ = ended(capsys, "export", f"{NOTEBOOK}/tiny", "--variant", "rate 0.8", "--seed", "1")
    folder = root / "results" / NOTEBOOK / "tiny" / EXPORTED / "rate-0.8-seed1"
    assert code == 0 and out.startswith(f"{folder.relative_to(root)}: rate 0.8, seed 1\n")
    return folder


def test_the_stored_test_split_gives_the_recorded_outputs_bit_for_bit(workspace, model, capsys, tmp_path):
    _, trained = workspace
    code, out, notes = ended(capsys, "predict", model, "iemocap_like", "--out", tmp_path / "said.csv")
    assert (code, out) == (0, f"{tmp_path / 'said.csv'}: {len(pd.read_csv(tmp_path / 'said.csv'))} utterances\n")
    assert "note: these are the recorded test outputs, bit for bit\n" in notes
    assert "SYNTHETIC" in notes
    table = pd.read_csv(tmp_path / "said.csv")
    logits = table[[name for name in table if name.startswith("logit_")]].to_numpy().astype(np.float32)
    assert np.array_equal(logits, record_of(trained, "rate 0.8", 1).outputs["test"])


def test_another_machine_s_bits_are_not_claimed(workspace, model, capsys, monkeypatch):
    monkeypatch.setattr(export_command, "outputs_sha256", lambda outputs: "other")
    _, _, notes = ended(capsys, "predict", model, "iemocap_like")
    assert "note: not the bits of the record (loop on cpu)" in notes and "bit for bit" not in notes


def test_other_splits_and_files_go_to_standard_output(model, capsys, tmp_path):
    code, out, notes = ended(capsys, "predict", model, "iemocap_like", "--split", "valid")
    assert code == 0 and out.startswith("id,logit_") and "bit for bit" not in notes
    known = load_trained(model).about.modalities
    arrays = {m: np.ones((2, known[m].steps, known[m].width)) for m in ("text", "audio")}
    np.savez(tmp_path / "mine.npz", ids=np.array(["a", "b"]), **arrays)
    code, out, notes = ended(capsys, "predict", model, tmp_path / "mine.npz")
    assert code == 0 and [line.split(",")[0] for line in out.splitlines()] == ["id", "a", "b"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("export nothing/quick --variant x", "export: no run 'nothing/quick'; known: "),
        (f"export {NOTEBOOK} --variant x", "no run"),
        ("export summary/quick --variant x", "summary/quick: trains nothing"),
        (f"export {NOTEBOOK}/tiny --variant x", "no variant 'x'; there are: rate 0, rate 0.8"),
        (f"export {NOTEBOOK}/tiny --variant rate_0 --seed 9", "no variant"),
        ("predict {model} nothing_known", "unknown corpus 'nothing_known'"),
        ("predict {model} /no/such/file.csv", "neither a corpus folder nor a file"),
        ("predict {model} mosi_like", "mosi_like is generated anew for each run"),
        ("predict {model}/.. iemocap_like", "model.json: missing"),
        ("predict {model} iemocap_like --device quantum", "no device 'quantum' here"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_exit_2(workspace, model, capsys, arguments, said):
    code, out, told = ended(capsys, *arguments.format(model=model).split())
    assert (code, out) == (2, "")
    assert said in told and told.count("\n") == 1


def test_exported_models_are_no_results_of_the_run(workspace, model):
    run = Run(NOTEBOOK, "tiny")
    assert model.is_relative_to(run.folder) and not [name for name in run.outputs() if name.startswith(EXPORTED)]


def test_usage_and_help_say_what_a_contribution_is(capsys):
    given = parse(["export", "a/b", "--variant", "rate 0.8"])
    assert (given.run, given.variant, given.seed, given.to) == ("a/b", "rate 0.8", None, None)
    given = parse(["predict", "m", "i"])
    assert (given.model, given.input, given.split, given.out, given.device) == ("m", "i", "test", None, "cpu")
    for fault in (["export", "a/b"], ["predict", "m"], ["export", "a/b", "--variant", "v", "--seed", "-1"]):
        with pytest.raises(InputError):
            parse(fault)
    with pytest.raises(SystemExit):
        parse(["predict", "--help"])
    said = capsys.readouterr().out
    assert usage.OF_PREDICT in said and max(map(len, said.splitlines())) <= 120
