"""Parameter files: what is wrong is said in one line, before anything runs."""

import re
from pathlib import Path

import nbformat
import pytest
import yaml

from lib import papers, params
from lib.errors import InputError
from lib.papers import schemas

ROOT = Path(__file__).resolve().parents[2]
GLOVE = ("parts/glove_6b_50d/vectors.npy", "parts/glove_6b_50d/index.parquet")
NOTEBOOKS = sorted(schemas())
YAMLS = sorted((ROOT / "params").glob("*/*.yaml"))


def parameters_cell(notebook: str) -> dict[str, object]:
    cells = nbformat.read(ROOT / "notebooks" / f"{notebook}.ipynb", as_version=4).cells
    tagged = [cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1, f"{notebook} has {len(tagged)} parameters cells"
    namespace: dict[str, object] = {}
    exec(tagged[0], namespace)
    namespace.pop("__builtins__")
    return namespace


@pytest.mark.parametrize("path", YAMLS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_stored_file_is_valid(path):
    loaded = papers.load(path, results="somewhere")
    assert loaded.results == "somewhere"


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_the_parameters_cell_is_the_quick_run(notebook):
    cell = parameters_cell(notebook)
    quick = papers.load(ROOT / "params" / notebook / "quick.yaml", results=f"results/{notebook}/explore")
    assert list(cell) == list(type(quick).model_fields)
    assert params.check(type(quick), cell, where="cell") == quick


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_every_notebook_has_a_quick_run_and_those_of_a_paper_a_paper_run(notebook):
    wanted = {"quick"} if notebook in ("explore", "bench") else {"quick", "paper"}
    assert {p.stem for p in (ROOT / "params" / notebook).glob("*.yaml")} >= wanted


def test_plain_values_come_out():
    """papermill turns tuples and numpy scalars into strings, so only JSON values may reach it."""
    dumped = papers.load(YAMLS[0], results="r").model_dump(mode="json")
    assert yaml.safe_load(yaml.safe_dump(dumped)) == dumped


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mosi_positive_colearning" / "mine.yaml"
    path.parent.mkdir()
    path.write_text(text)
    return path


BASE = (ROOT / "params" / "mosi_positive_colearning" / "quick.yaml").read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("epochs: 4", "epoch: 12"), "unknown key 'epoch'; did you mean 'epochs'? allowed: "),
        (("epochs: 4", "epochs: many"), "key 'epochs' = 'many': Input should be a valid integer"),
        (("epochs: 4", "epochs: 0"), "key 'epochs' = 0: Input should be greater than or equal to 1"),
        (("epochs: 4", "epochs: 4\nepochs: 13"), "key 'epochs' is given twice"),
        (("epochs: 4", ""), "key 'epochs' is missing"),
        (("rates: [0,", "rates: [0.5,"), "rates must hold 0"),
        (
            ("rates: [0, 0.4, 0.8]", "rates: [0, 0.4, 1.8]"),
            "key 'rates.2' = 1.8: Input should be less than or equal to 1",
        ),
        (("rates: [0, 0.4, 0.8]", "rates: [0, 0.4, .nan]"), "key 'rates.2' = nan: Input should be a finite number"),
        (("support: [audio, video]", "support: [text]"), "text cannot be both target and support"),
        (("samples: 1200", ""), "samples must be positive for a stand-in corpus"),
        (("dataset: mosi_like", "dataset: imdb"), "key 'dataset' = 'imdb': Input should be 'mosi_like', 'mosi'"),
        (("seeds: [0,", "seeds: [1,"), "seeds holds a value twice"),
        (("seeds: [0, 1, 2]", "seeds: []"), "key 'seeds' = []: Tuple should have at least 1 item"),
        (("seeds: [0, 1, 2]", "seeds: [0, -1]"), "key 'seeds.1' = -1: Input should be greater than or equal to 0"),
        (("seeds: [0, 1, 2]", "seeds: many"), "key 'seeds' = 'many': expected a list of whole numbers, or auto"),
        (("seeds: [0, 1, 2]", "seeds: auto"), "most_seeds must be positive with seeds: auto"),
        (("seeds: [0, 1, 2]", "seeds: [0, 1, 2]\nmost_seeds: 40"), "and 0 with a list"),
        (("seeds: [0, 1, 2]", "seeds: auto\nmost_seeds: 4"), "most_seeds 4 is less than the pilot's 5 seeds"),
        (("seeds: [0, 1, 2]", "seeds: auto\nmost_seeds: 201"), "Input should be less than or equal to 200"),
        (("epochs: 4", "epochs: 4\nresults: /tmp"), "key 'results' is set by the runner"),
        (("epochs: 4", "epochs: !!python/object/apply:os.system [id]"), "not readable as YAML"),
        (("epochs: 4", "epochs: [12"), "not readable as YAML"),
    ],
)
def test_faults_are_one_line_that_names_file_and_key(tmp_path, change, message):
    text = BASE.replace(*change)
    assert text != BASE
    with pytest.raises(InputError) as caught:
        papers.load(written(tmp_path, text), results="r")
    line = str(caught.value)
    assert line.startswith("test_faults") or "mosi_positive_colearning/mine.yaml: " in line
    assert message in line
    assert "\n" not in line


AUTO = BASE.replace("seeds: [0, 1, 2]", "seeds: auto\nmost_seeds: 12")


def test_seeds_that_are_planned_start_with_the_pilot_and_are_written_as_asked(tmp_path):
    planned = papers.load(written(tmp_path, AUTO), results="r")
    assert (planned.seeds, planned.possible_seeds) == (tuple(range(5)), tuple(range(12)))
    dumped = planned.model_dump(mode="json")
    assert dumped["seeds"] == "auto"
    assert params.check(type(planned), dumped, where="cell") == planned
    assert planned.model_copy(update={"seeds": tuple(range(9))}).model_dump(mode="json") == dumped


def test_seeds_of_a_list_are_all_there_are():
    listed = papers.load(ROOT / "params" / "mosi_positive_colearning" / "paper.yaml", results="r")
    assert listed.seeds == listed.possible_seeds == (0, 1, 2, 3, 4)
    assert listed.model_dump(mode="json")["seeds"] == [0, 1, 2, 3, 4]


def test_planned_seeds_are_whole_turns_of_the_folds(tmp_path):
    text = (ROOT / "params" / "mosi_positive_colearning" / "ravdess_audio.yaml").read_text()
    planned_text = "seeds: auto\nmost_seeds: 30\n"
    text, times = re.subn("^seeds: .*\n(most_seeds: .*\n)?", planned_text, text, flags=re.MULTILINE)
    assert times == 1
    planned = papers.load(written(tmp_path, text), results="r")
    assert (planned.turn, len(planned.seeds), len(planned.possible_seeds)) == (8, 8, 24)
    few = tmp_path / "mosi_positive_colearning" / "few.yaml"
    few.write_text(text.replace("most_seeds: 30", "most_seeds: 7"))
    with pytest.raises(InputError, match="most_seeds 7 is less than the pilot's 8 seeds, whole turns of 8 folds"):
        papers.load(few, results="r")


def test_a_number_in_exponent_form_is_a_number(tmp_path):
    """YAML 1.1 reads 1e-3 as a string."""
    loaded = papers.load(written(tmp_path, BASE.replace("0.005", "5e-3")), results="r")
    assert loaded.learning_rate == 0.005


def test_missing_file_and_unknown_notebook(tmp_path):
    with pytest.raises(InputError, match=r"mosi_positive_colearning/none\.yaml: no such parameter file"):
        papers.load(tmp_path / "mosi_positive_colearning" / "none.yaml")
    with pytest.raises(InputError, match=re.escape("no notebook named 'nope'")):
        papers.schema_for("nope")


@pytest.mark.parametrize(
    ("notebook", "run", "corpora", "files"),
    [
        ("low_rank_fusion", {"glove": "words.txt"}, ("mosi_words",), ("words.txt",)),
        ("low_rank_fusion", {}, ("mosi_words",), ()),
        ("low_rank_fusion", {"glove": "glove"}, ("mosi_words",), GLOVE),
        ("emotion_embeddings", {}, ("meld_text",), ()),
        ("emotion_embeddings", {"emotion_vectors": "words.txt"}, ("meld_text",), ("words.txt",)),
        ("emotion_embeddings", {"emotion_vectors": "glove"}, ("meld_text",), GLOVE),
        ("unseen_emotions", {"emotion_vectors": "glove"}, ("iemocap_emotions", "iemocap_nine"), GLOVE),
        ("unseen_emotions", {}, ("iemocap_emotions", "iemocap_nine"), ("glove.emotions.840B.300d.pt",)),
    ],
)
def test_everything_a_run_reads_is_named(notebook, run, corpora, files, tmp_path, monkeypatch):
    monkeypatch.setenv("REPRISE_DATA", str(tmp_path))
    name = {"mosi_words": "mosi_words", "meld_text": "meld_text", "iemocap_emotions": "iemocap"}[corpora[0]]
    given = yaml.safe_load((ROOT / "params" / notebook / f"{name}.yaml").read_text())
    values = {**given, **run, "results": "x"}
    found = params.check(papers.schema_for(notebook), values, where="test")
    assert (found.corpora(), found.further_files()) == (corpora, files)
