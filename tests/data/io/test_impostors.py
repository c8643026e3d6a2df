"""What people have in place of a data file: every reader says what it is, and keeps nothing of it."""

import pickle
import re
import shutil
from pathlib import Path

import pytest

from lib import data
from lib.data.catalogue import CATALOGUE, RestrictedCorpus
from lib.data.corpora import CORPORA
from lib.data.io import safe_pickle
from lib.data.io.impostors import fault_of, refuse
from lib.errors import InputError
from tests.data.impostor_files import IMPOSTORS, POINTER, TAKEN
from tests.data.readers import READERS
from tests.workflow.machines import data_verb

OURS = ("cache", "prepared again", "configuration of ALBERT", "pre-trained part")
"""Made anew where they are damaged, or read in part, or compared with a hash whatever they look like."""
FILES = [(name, file) for name, reader in READERS.items() if name not in OURS for file in reader.files]
VECTORS = ("vectors.txt", "words.txt")
TOLD_BESIDE = ("IEMOCAP's release", "prepared utterances")
"""Whose list of problems, or command to make the file again, leaves out what to do about the file itself."""


def told(name: str, root: Path) -> str:
    """The refusal, or what is told of single recordings of a release beside the others."""
    try:
        found = READERS[name].read(root)
    except InputError as error:
        return str(error)
    if name == "IEMOCAP's release":
        return "; ".join(problem.what for outcome in found for problem in outcome.problems)
    return ""


@pytest.mark.parametrize(("name", "file"), FILES, ids=[f"{name}: {Path(file).name}" for name, file in FILES])
def test_every_reader_says_what_lies_in_place_of_its_file(name, file, sound, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    monkeypatch.setenv("REPRISE_CACHE", str(cache))
    root = tmp_path / "data"
    shutil.copytree(sound(name), root)
    path, failures = root / file, []
    for impostor, (content, words) in IMPOSTORS.items():
        if impostor in TAKEN.get("vectors" if path.name in VECTORS else path.suffix, ()):
            continue
        path.write_bytes(content)
        line = told(name, root)
        if name in TOLD_BESIDE:
            words = words.partition(".*")[0]
        if not re.search(words, line):
            failures.append(f"{impostor}: {line or 'nothing'}")
        elif name in CORPORA and "./run_all.sh data" not in line and path.name not in VECTORS:
            failures.append(f"{impostor}: no way to the file in {line}")
        elif not line.isprintable() or (path.name not in line and name != "IEMOCAP's release"):
            failures.append(f"{impostor}: {line}")
    assert not failures, "\n".join(failures)
    kept = [entry for entry in cache.rglob("*.npy") if "stand_ins" not in entry.parts]
    assert not kept or path.name in VECTORS, "something was kept"


CUT = [(name, file) for name, file in FILES if Path(file).suffix in (".h5", ".npy", ".pkl", ".p", ".pt")]


@pytest.mark.parametrize(("name", "file"), CUT, ids=[f"{name}: {Path(file).name}" for name, file in CUT])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
def test_half_a_download_is_said_to_be_one(name, file, share, sound, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(sound(name), root)
    content = (root / file).read_bytes()
    (root / file).write_bytes(content[: int(len(content) * share)])
    assert re.search("cut short", told(name, root))


@pytest.mark.parametrize("name", [name for name in READERS if name in CORPORA])
def test_what_lies_beside_a_missing_file_is_named(name, sound, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(sound(name), root)
    path = data.files(name, root)[0]
    path.rename(path.with_name(f"{path.name}.part"))
    assert re.search(rf"missing.*{re.escape(path.name)}\.part.*has not ended", told(name, root))
    path.with_name(f"{path.name}.part").rename(path.with_name(f"{path.name}.gz"))
    assert re.search(rf"missing; unpack {re.escape(path.name)}\.gz", told(name, root))
    path.mkdir()
    assert "a folder, not a file" in told(name, root)


def test_a_broken_link_is_one(tmp_path):
    (tmp_path / "a.pkl").symlink_to(tmp_path / "gone")
    with pytest.raises(InputError, match=r"a\.pkl: a link to .*gone, which is not there"):
        refuse(tmp_path / "a.pkl")


def test_a_pickle_made_by_another_library_says_which(tmp_path):
    for module, name in (("pandas.core.frame", "DataFrame"), ("torch._utils", "_rebuild_tensor_v2")):
        (tmp_path / "a.pkl").write_bytes(f"c{module}\n{name}\n.".encode())
        with pytest.raises(
            InputError, match=f"{name}, which is not plain data; it was made with {module.split('.')[0]}"
        ):
            safe_pickle.load(tmp_path / "a.pkl")


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "value", [{"a": [1, 2.5]}, [1, 2], ("x", None), "words of text", 5, -2.5, True, None, b"bytes", {1}]
)
def test_no_pickle_is_taken_for_something_else(tmp_path, protocol, value):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(value, protocol=protocol))
    assert fault_of(tmp_path / "a.pkl") is None


def test_pickles_of_python_2_are_read(tmp_path):
    content = b"(dp0\nS'caf\\xe9'\np1\n(lp2\nI1\naF2.5\nas."
    (tmp_path / "a.pkl").write_bytes(content)
    assert safe_pickle.load(tmp_path / "a.pkl") == {"caf\u00e9": [1, 2.5]}


RESTRICTED = [corpus for corpus in CATALOGUE.values() if isinstance(corpus, RestrictedCorpus)]


@pytest.mark.parametrize("corpus", RESTRICTED, ids=lambda corpus: corpus.name)
def test_data_check_lists_impostors_as_damaged(corpus, tmp_path, capsys):
    path = corpus.layouts[0][0]
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_bytes(POINTER)
    assert data_verb(["check", "--root", str(tmp_path)], {corpus.name: corpus}) == 2
    assert re.search(rf"damaged: {re.escape(path)} is not .* but a Git LFS pointer", capsys.readouterr().out)
