"""`run_all.sh data get` and `data check`, from the arguments to the exit code."""

import os
from pathlib import Path

import pytest

from lib.data.catalogue import KnownCorpus, RestrictedCorpus
from lib.data.io.source_files import STAND_IN_NOTE
from tests.data.flaky_server import FlakyServer, noise, public_corpus, served
from tests.data.own.brought import write_folder
from tests.workflow.machines import data_verb as main

CONTENTS = {"tiny/a.h5": noise(5000, seed=1), "tiny/b.h5": noise(300, seed=2)}
CATALOGUE: dict[str, KnownCorpus] = {
    "closed": RestrictedCorpus("closed", "a closed corpus", (("closed/x.npy",),), "put it at {root}/closed/x.npy"),
    "tiny": public_corpus(CONTENTS),
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FlakyServer(served(CONTENTS)) as running:
        monkeypatch.setenv("REPRISE_MIRROR", running.address)
        yield running


def write(root: Path, contents: dict[str, bytes]) -> None:
    for path, content in contents.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)


def section(output: str, name: str) -> list[str]:
    """The lines `data check` prints about one corpus."""
    (found,) = (part for part in output.split("\n\n") if part.startswith(f"{name}: "))
    return [line.strip() for line in found.splitlines()]


def test_get_then_get_again(server, tmp_path, capsys):
    assert main(["get", "tiny", "--root", str(tmp_path)], CATALOGUE) == 0
    assert capsys.readouterr().out.splitlines() == [
        "tiny 1/2: tiny/a.h5",
        "tiny 2/2: tiny/b.h5",
        f"tiny: complete in {tmp_path} (2 files fetched)",
    ]
    assert main(["get", "tiny", "--root", str(tmp_path)], CATALOGUE) == 0
    assert capsys.readouterr().out == f"tiny: complete in {tmp_path} (nothing to fetch)\n"
    assert len(server.requests) == 2


def test_a_corpus_asked_for_twice_is_fetched_once(server, tmp_path, capsys):
    assert main(["get", "tiny", "all", "tiny", "--root", str(tmp_path)], CATALOGUE) == 0
    assert capsys.readouterr().out.count("complete in") == 1


def test_all_is_every_corpus_that_can_be_downloaded(server, tmp_path, capsys):
    assert main(["get", "all", "--root", str(tmp_path)], CATALOGUE) == 0
    assert "closed" not in capsys.readouterr().out
    assert (tmp_path / "tiny/b.h5").read_bytes() == CONTENTS["tiny/b.h5"]


def test_the_root_comes_from_the_environment(server, tmp_path, monkeypatch):
    monkeypatch.setenv("REPRISE_DATA", str(tmp_path))
    assert main(["get", "tiny"], CATALOGUE) == 0
    assert (tmp_path / "tiny/a.h5").exists()


def test_a_restricted_corpus_gets_instructions_and_the_others_their_files(server, tmp_path, capsys):
    assert main(["get", "closed", "tiny", "--root", str(tmp_path)], CATALOGUE) == 2
    assert capsys.readouterr().out.startswith(f"put it at {tmp_path}/closed/x.npy\ntiny 1/2")
    assert (tmp_path / "tiny/a.h5").exists()


def test_a_restricted_corpus_that_is_there_needs_no_instructions(tmp_path, capsys):
    write(tmp_path, {"closed/x.npy": b"\x93NUMPY"})
    assert main(["get", "closed", "--root", str(tmp_path)], CATALOGUE) == 0
    assert capsys.readouterr().out == f"closed: complete in {tmp_path}\n"


def test_real_iemocap_is_never_downloaded(tmp_path, capsys):
    assert main(["get", "iemocap", "--root", str(tmp_path)]) == 2
    assert f"{tmp_path}/iemocap/non_combined/df_iemocap.csv" in capsys.readouterr().out


def test_one_failing_corpus_does_not_stop_the_others(server, tmp_path, capsys):
    lost = {"lost": public_corpus({"lost/c.h5": noise(10)}, "lost")}
    assert main(["get", "all", "--root", str(tmp_path)], lost | CATALOGUE) == 2
    output = capsys.readouterr()
    assert output.err.startswith("lost/c.h5: http://127.0.0.1")
    assert output.err.count("\n") == 1
    assert (tmp_path / "tiny/a.h5").exists()


def test_without_a_server_no_further_corpus_is_tried(server, tmp_path, capsys, monkeypatch):
    server.__exit__()
    pauses = []
    monkeypatch.setattr("lib.data.io.fetch.time.sleep", pauses.append)
    more = {"more": public_corpus({"more/c.h5": noise(10)}, "more")}
    assert main(["get", "all", "--root", str(tmp_path)], CATALOGUE | more) == 2
    output = capsys.readouterr()
    assert "more" not in output.out
    assert output.err.startswith("127.0.0.1:")
    assert output.err.count("\n") == 1
    assert pauses == [1, 2, 4, 8]


def test_an_interrupt_takes_one_line(tmp_path, capsys, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lib.workflow.data_command.get", interrupted)
    assert main(["get", "tiny", "--root", str(tmp_path)], CATALOGUE) == 130
    assert capsys.readouterr().err == "interrupted; the next call fetches or makes what is not complete\n"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "data: the following arguments are required"),
        (["fetch"], "data: argument get|check|import|preprocess|records: invalid choice: 'fetch'"),
        (["get"], "data get: the following arguments are required: NAME"),
        (["get", "tinny"], "unknown corpus 'tinny'; known: closed, tiny"),
        (["get", "all", "tinny"], "unknown corpus 'tinny'; known: closed, tiny"),
        (["get", "tiny", "--root", "r" * 300], "r" * 300),
        (["check", "--root", "r" * 300], "r" * 300),
        (["check", "--rot", "x"], "data: unrecognized arguments: --rot x"),
    ],
)
def test_bad_input_takes_one_line(argv, message, capsys):
    assert main(argv, CATALOGUE) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert message in output.err
    assert output.err.count("\n") == 1


def test_check_of_a_folder_that_does_not_exist(tmp_path, capsys):
    assert main(["check", "--root", str(tmp_path / "new")], CATALOGUE) == 0
    output = capsys.readouterr()
    assert output.err == ""
    assert output.out.startswith(f"data folder: {tmp_path}/new (does not exist)\n")
    assert section(output.out, "tiny") == [
        "tiny: missing, 0 of 2 files, 0.00B",
        "a corpus of the tests",
        "folders: tiny",
        "missing: tiny/a.h5",
        "missing: tiny/b.h5",
        "source: someone/corpus (MIT)",
        "to obtain it: ./run_all.sh data get tiny",
    ]
    assert section(output.out, "closed")[-1] == "restricted; how to obtain it: ./run_all.sh data get closed"


def test_check_of_sound_data(tmp_path, capsys):
    write(tmp_path, CONTENTS | {"closed/x.npy": b"\x93NUMPY"})
    assert main(["check", "--root", str(tmp_path)], CATALOGUE) == 0
    output = capsys.readouterr().out
    assert section(output, "tiny")[0] == "tiny: present, 2 of 2 files, 5.30kB"
    assert section(output, "tiny")[-1] == "source: someone/corpus (MIT)"
    assert section(output, "closed")[0] == "closed: present, 1 of 1 files, 6.00B"


def test_check_names_what_is_damaged_and_what_is_unfinished(tmp_path, capsys):
    write(tmp_path, {"tiny/a.h5": b"cut", "tiny/b.h5.part": b"12"})
    assert main(["check", "--root", str(tmp_path)], CATALOGUE) == 2
    lines = section(capsys.readouterr().out, "tiny")
    assert lines[0] == "tiny: damaged, 0 of 2 files, 0.00B"
    assert "damaged: tiny/a.h5 holds 3 bytes, expected 5000; it is not a complete HDF5 file but text" in lines
    assert "unfinished: tiny/b.h5 (2.00B so far)" in lines
    assert lines[-1] == "to obtain it: ./run_all.sh data get tiny"


def test_check_shows_a_stand_in_as_what_it_is(tmp_path, capsys):
    write(tmp_path, CONTENTS | {f"tiny/{STAND_IN_NOTE}": b"{}"})
    assert main(["check", "--root", str(tmp_path)], CATALOGUE) == 0
    lines = section(capsys.readouterr().out, "tiny")
    assert lines[0] == "tiny: stand-in, 0 of 2 files, 0.00B"
    assert "synthetic, not the corpus itself: 2 files written by this workspace" in lines


def test_check_of_the_public_corpora(capsys):
    if not os.environ.get("REPRISE_DATA"):
        pytest.skip("needs the public corpora: set REPRISE_DATA to their folder")
    assert main(["check"]) == 0
    output = capsys.readouterr().out
    for name in ("mosi_utterances", "mosi_words", "pom", "meld"):
        assert section(output, name)[0].startswith(f"{name}: present, ")
    # The large text arrays are optional: some copies of these two corpora do not have them.
    optional = {"mosi": "mfn/data/X_", "mmmo": "mfn/new_data/mmmo/text_train_emb.h5"}
    for name, path in optional.items():
        missing = [line for line in section(output, name) if line.startswith("missing: ")]
        assert all(line.startswith(f"missing: {path}") for line in missing)
        assert section(output, name)[0].split()[1] == ("partial," if missing else "present,")


def test_a_corpus_that_is_brought_is_told_and_listed(tmp_path, capsys):
    brought = write_folder(tmp_path / "brought")
    root = tmp_path / "data"
    assert main(["import", str(brought), "--name", "mine", "--root", str(root)], CATALOGUE) == 0
    output = capsys.readouterr().out
    assert "test: 6 samples of 3 speakers; bad 3 (50%), good 3 (50%)\n" in output
    assert output.endswith(f"mine: stored in {root}/own/mine; a YAML names it as `dataset: mine`\n")
    assert main(["check", "--root", str(root)], CATALOGUE) == 0
    assert section(capsys.readouterr().out, "mine")[1] == "My reviews: classes; licence: CC BY 4.0; cite me"
    (root / "own" / "mine" / "corpus.yaml").write_text("label: [")
    assert main(["check", "--root", str(root)], CATALOGUE) == 2
    assert section(capsys.readouterr().out, "mine")[0] == "mine: yours, damaged"


def test_a_corpus_that_cannot_be_brought_takes_one_line(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("hello")
    for path, name, message in (
        ("nowhere", "mine", "nowhere: missing"),
        ("notes.txt", "mine", "nothing that is known; known: a folder with corpus.yaml"),
        ("notes.txt", "mosi", "'mosi' is the name of a corpus that is known already"),
    ):
        assert main(["import", str(tmp_path / path), "--name", name, "--root", str(tmp_path / "data")], CATALOGUE) == 2
        output = capsys.readouterr()
        assert message in output.err
        assert output.err.count("\n") == 1
    assert not (tmp_path / "data").exists()
