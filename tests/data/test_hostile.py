"""Every reader against every damaged and hostile file that is known for its kinds: one line, or sound data.

Nothing is run, nothing outside the folder is touched, and no size that a file announces is believed.
"""

import ast
import re
import resource
import shutil
import sys
import warnings
from pathlib import Path

import pytest

from lib import data
from lib.data.corpora import CORPORA
from lib.errors import InputError
from tests.data import hostile_files
from tests.data.hostile_files import cases
from tests.data.readers import NO_READERS, READERS, check_sound

LIBRARY = Path(data.__file__).parent
OPENS = {
    "open",
    "read_bytes",
    "load",
    "loads",
    "load_npy",
    "File",
    "read_numbers",
    "read_text",
    "lines",
    "listed",
    "rows",
    "records",
    "heading",
    "read_arrays",
    "ZipFile",
}
MEMORY = 400 * 2**20
"""Bytes by which reading a hostile file may raise the peak of this process."""


_ran: list[str] = []
_watching = False
_EVENTS = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect", "ctypes.dlopen")


def _hook(event: str, arguments: tuple) -> None:
    if _watching and event.startswith(_EVENTS):
        _ran.append(event)


sys.addaudithook(_hook)


@pytest.fixture
def watched(monkeypatch):
    """Nothing may start a process, open a connection or load a library meanwhile."""
    _ran.clear()
    monkeypatch.setattr(sys.modules[__name__], "_watching", True)
    yield
    monkeypatch.setattr(sys.modules[__name__], "_watching", False)
    assert not _ran


def attempt(name: str, root: Path) -> object:
    """What the reader returns, or its InputError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of overflows on the way to a refusal
            return READERS[name].read(root)
    except InputError as error:
        return error


def outside(root: Path) -> set[Path]:
    """What lies beside the folder of the data."""
    return {path for path in root.parent.rglob("*") if root not in (path, *path.parents)}


@pytest.mark.parametrize("name", READERS)
def test_sound_files_are_read(name, sound, tmp_path, monkeypatch):
    root = copied(name, sound, tmp_path, monkeypatch)
    found = attempt(name, root)
    assert not isinstance(found, InputError), found
    check_sound(found)


def copied(name: str, sound, tmp_path: Path, monkeypatch) -> Path:
    root = tmp_path / "inside" / "data"
    shutil.copytree(sound(name), root, symlinks=True)
    if name == "cache":
        (entry,) = (root / "numbers").iterdir()
        (root / "entry").unlink()
        (root / "entry").symlink_to(entry)
        monkeypatch.setenv("REPRISE_CACHE", str(root))
    return root


FILES = [(name, file) for name, reader in READERS.items() for file in reader.files]


CASES = [
    pytest.param(name, file, id=f"{name}: {Path(file).name}", marks=[pytest.mark.slow] if further else [])
    for name, reader in READERS.items()
    for further, file in enumerate(reader.files)
]
"""The further kinds of file that a reader opens are left to the slow tests."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "file"), CASES)
def test_every_damage_is_one_line_or_sound_data(name, file, sound, tmp_path, monkeypatch, watched):
    failures, refused = [], 0
    marker = tmp_path / "marker"
    whole = copied(name, sound, tmp_path, monkeypatch)
    elsewhere = outside(whole)
    for case, hostile in cases(whole / file, marker).items():
        if READERS[name].heals and case == "a folder":
            continue  # nothing that we make is put in the place of somebody's folder
        root = whole
        kept = (root / file).read_bytes()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            hostile.damage(root / file)
            found = attempt(name, root)
            expected = READERS[name].refusal or hostile.message
            if fault := fault_of(found, expected, heals=READERS[name].heals):
                failures.append(f"{case}: {fault}")
            refused += isinstance(found, InputError)
        except Exception as error:  # collected, so that one run shows all
            failures.append(f"{case}: {type(error).__name__}: {str(error)[:200]}")
        if (grown := (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024) > MEMORY:
            failures.append(f"{case}: took {grown / 2**20:.0f} MB")
        if marker.exists():
            failures.append(f"{case}: was run")
            marker.unlink()
        restore(root, file, kept)
    assert not failures, "\n".join(failures)
    assert outside(whole) == elsewhere
    assert refused >= 5 or READERS[name].heals


def fault_of(found: object, message: str | None, *, heals: bool) -> str:
    """What is wrong with how a reader took a damaged file; empty if nothing."""
    if not isinstance(found, InputError):
        check_sound(found)
        return "was read" if message is not None and not heals else ""
    line = str(found)
    if "\n" in line or not line.isprintable() or len(line) > 2000:
        return f"not one readable line: {line[:100]!r}"
    if message is not None and not re.search(message, line):
        return f"expected {message!r}, said {line!r}"
    return ""


def restore(root: Path, file: str, content: bytes) -> None:
    path = root / file
    if path.is_dir():
        shutil.rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    for name in ("elsewhere.h5", "secret"):
        path.with_name(name).unlink(missing_ok=True)


def test_every_corpus_that_is_read_from_files_has_hostile_cases():
    on_disk = {name for name, corpus in CORPORA.items() if corpus.reader and not corpus.stands_for}
    assert on_disk <= set(READERS)


def test_every_module_that_opens_files_is_covered():
    """A new reader fails here until it stands in `READERS`."""
    opening = {path.stem for path in LIBRARY.rglob("*.py") if path.stem != "__init__" and opens_files(path)}
    covered = {module for reader in READERS.values() for module in reader.modules}
    assert opening - covered - set(NO_READERS) == set()
    assert covered | set(NO_READERS) <= {path.stem for path in LIBRARY.rglob("*.py")}
    assert not covered & set(NO_READERS)


def opens_files(path: Path) -> bool:
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    names = {call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls}
    return bool(names & OPENS)


def test_every_kind_of_file_has_cases(tmp_path):
    """And there are enough of them."""
    assert {Path(file).suffix for _, file in FILES} == hostile_files.kinds()
    counts = {file: len(cases(Path(file), tmp_path / "m")) for _, file in FILES}
    assert min(counts.values()) >= 20
    assert sum(counts.values()) >= 2000
