"""Downloads against a local server that cuts, stalls, lies and refuses."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.data.catalogue import RestrictedCorpus
from lib.data.io.fetch import BLOCK, Patience, Unreachable, get, mirror
from lib.data.io.source_files import STAND_IN_NOTE
from lib.errors import InputError
from tests.data.flaky_server import FlakyServer, noise, public_corpus, served

REPOSITORY = Path(__file__).resolve().parents[3]
CONTENTS = {"a/first.h5": noise(200_000, seed=1), "b/second.csv": noise(30_000, seed=2)}
ONE = {"a/first.h5": CONTENTS["a/first.h5"]}
HURRIED = Patience(attempts=3, pause=0.0, timeout=(5.0, 20.0))
# What a second process runs: the same corpus, from the server and into the folder given as arguments.
OTHER_PROCESS = """
import sys
from pathlib import Path
from lib.data.io.fetch import get
from tests.data.flaky_server import public_corpus
from tests.data.io.test_fetch import CONTENTS
catalogue = {"tiny": public_corpus(CONTENTS)}
get("tiny", Path(sys.argv[1]), catalogue=catalogue, say=lambda line: print(line, flush=True))
"""


@pytest.fixture(autouse=True)
def direct_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FlakyServer]:
    """Start a server for some contents and make it the mirror; all are stopped at the end."""
    servers = []

    def start_one(contents: dict[str, bytes], **behaviour: object) -> FlakyServer:
        servers.append(FlakyServer(served(contents), **behaviour).__enter__())
        monkeypatch.setenv("REPRISE_MIRROR", servers[-1].address)
        return servers[-1]

    yield start_one
    for server in servers:
        server.__exit__()


def fetch(root: Path, contents: dict[str, bytes] = ONE, size_known: bool = True, **options: object) -> list[Path]:
    corpus = public_corpus(contents, size_known=size_known)
    return get("tiny", root, catalogue={"tiny": corpus}, **{"patience": HURRIED} | options)


def names(root: Path) -> set[str]:
    """Every file below `root` except the lock."""
    found = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    return found - {".fetch.lock"}


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "nothing happened within 60 s"
        time.sleep(0.01)


def other_process(root: Path, stderr: int | None = None) -> subprocess.Popen:
    """A terminal has a name, which a machine that runs tests may lack; without one no progress is drawn."""
    command, environment = [sys.executable, "-c", OTHER_PROCESS, str(root)], os.environ | {"TERM": "xterm"}
    return subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True)


def test_everything_arrives_under_its_own_name(start, tmp_path, capfd):
    server = start(CONTENTS)
    fetched = fetch(tmp_path / "new", CONTENTS)
    assert fetched == [tmp_path / "new" / path for path in CONTENTS]
    assert {path: (tmp_path / "new" / path).read_bytes() for path in CONTENTS} == CONTENTS
    assert names(tmp_path / "new") == set(CONTENTS)
    assert [request.path for request in server.requests] == [
        f"/someone/corpus/c0ffee/data%20of%202017/{path}" for path in CONTENTS
    ]
    assert {request.encoding for request in server.requests} == {"identity"}
    assert capfd.readouterr() == ("", "")  # no progress bar where there is no terminal


def test_what_is_there_and_sound_is_not_asked_for(start, tmp_path):
    server = start(CONTENTS)
    fetch(tmp_path, ONE)
    assert fetch(tmp_path, CONTENTS) == [tmp_path / "b/second.csv"]
    assert len(server.requests) == 2
    assert fetch(tmp_path, CONTENTS) == []
    assert len(server.requests) == 2


def test_a_complete_corpus_needs_neither_server_nor_a_writable_folder(monkeypatch, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/first.h5").write_bytes(ONE["a/first.h5"])
    monkeypatch.setenv("REPRISE_MIRROR", "no address")
    assert fetch(tmp_path) == []
    assert not (tmp_path / ".fetch.lock").exists()


def test_a_damaged_file_is_replaced(start, tmp_path):
    start(ONE)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/first.h5").write_bytes(b"x" * 200_000)
    lines = []
    fetch(tmp_path, say=lines.append)
    assert lines[0] == "a/first.h5 is damaged and will be fetched again"
    assert (tmp_path / "a/first.h5").read_bytes() == ONE["a/first.h5"]


def test_a_cut_connection_is_continued(start, tmp_path):
    server = start(ONE, cut_after=[100_000, 60_000])
    lines = []
    fetch(tmp_path, say=lines.append)
    assert (tmp_path / "a/first.h5").read_bytes() == ONE["a/first.h5"]
    assert [request.range is None for request in server.requests] == [True, False, False]
    assert 200_000 <= server.body_bytes < 200_000 + 2 * BLOCK  # at most one block is asked for twice per cut
    assert sum("trying again in 0 s" in line for line in lines) == 2


def test_another_range_than_asked_for_is_not_appended(start, tmp_path):
    server = start(ONE, cut_after=[100_000], wrong_range=True)
    fetch(tmp_path)
    assert [request.range is None for request in server.requests] == [True, False, True]
    assert (tmp_path / "a/first.h5").read_bytes() == ONE["a/first.h5"]


@pytest.mark.parametrize("size_known", [True, False])
def test_a_killed_process_leaves_a_part_that_the_next_one_continues(start, tmp_path, size_known):
    server = start(CONTENTS, stall_after=120_000)
    process = other_process(tmp_path)
    part = tmp_path / "a/first.h5.part"
    with process:
        wait_until(lambda: part.exists() and part.stat().st_size > 100_000)
        process.kill()
    assert names(tmp_path) == {"a/first.h5.part"}
    received = part.stat().st_size
    server.release.set()
    before = len(server.requests)
    fetch(tmp_path, ONE, size_known=size_known)
    (request,) = server.requests[before:]
    assert request.range == f"bytes={received}-"
    assert request.body_bytes == 200_000 - received
    assert names(tmp_path) == set(ONE)
    assert (tmp_path / "a/first.h5").read_bytes() == ONE["a/first.h5"]


@pytest.mark.parametrize(
    ("part", "behaviour", "ranges"),
    [
        pytest.param(ONE["a/first.h5"], {}, [], id="already whole"),
        pytest.param(ONE["a/first.h5"][:1000], {"honour_range": False}, ["bytes=1000-"], id="200 instead of 206"),
        pytest.param(ONE["a/first.h5"][:1000], {"wrong_range": True}, ["bytes=1000-", None], id="another range"),
        pytest.param(b"x" * 200_001, {}, ["bytes=200001-", None], id="too long (416)"),
        pytest.param(b"x" * 200_000, {}, ["bytes=200000-", None], id="right length, wrong bytes (416)"),
        pytest.param(b"x" * 1000, {}, ["bytes=1000-", None], id="wrong bytes"),
        pytest.param(b"", {}, [None], id="empty"),
    ],
)
def test_every_kind_of_leftover_ends_in_the_right_file(start, tmp_path, part, behaviour, ranges):
    server = start(ONE, **behaviour)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/first.h5.part").write_bytes(part)
    fetch(tmp_path)
    assert [request.range for request in server.requests] == ranges
    assert names(tmp_path) == set(ONE)
    assert (tmp_path / "a/first.h5").read_bytes() == ONE["a/first.h5"]


@pytest.mark.parametrize("size_known", [True, False])
def test_wrong_content_is_refused_and_removed(start, tmp_path, size_known):
    wrong = bytes(200_000) if size_known else b"<html>sign in</html>"
    server = start({"a/first.h5": wrong})
    with pytest.raises(InputError) as refusal:
        fetch(tmp_path, size_known=size_known)
    (file,) = public_corpus({"a/first.h5": wrong}).files
    (expected,) = public_corpus(ONE).files
    assert str(refusal.value).startswith("a/first.h5: what http://127.0.0.1")
    assert f"has git blob id {file.git_blob_sha1}, expected {expected.git_blob_sha1}" in str(refusal.value)
    assert len(server.requests) == 1
    assert names(tmp_path) == set()


def test_a_git_lfs_pointer_is_told_apart(start, tmp_path):
    start({"a/first.h5": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 200000\n"})
    with pytest.raises(InputError, match=r"git-lfs pointer.*git lfs pull.*someone/corpus at c0ffee") as refusal:
        fetch(tmp_path)
    assert str(refusal.value).endswith(str(tmp_path / "a/first.h5"))
    assert names(tmp_path) == set()


def test_a_file_the_server_does_not_have(start, tmp_path):
    server = start({})
    with pytest.raises(InputError, match=r"a/first\.h5: http.*%20.*answers HTTP 404 Not Found; .*REPRISE_MIRROR"):
        fetch(tmp_path)
    assert len(server.requests) == 1
    assert names(tmp_path) == set()


def test_a_busy_server_is_asked_again(start, tmp_path):
    server = start(ONE, status=503, status_times=2)
    fetch(tmp_path)
    assert len(server.requests) == 3
    assert names(tmp_path) == set(ONE)


def test_no_server_at_all(start, tmp_path):
    start(ONE).__exit__()
    lines = []
    with pytest.raises(Unreachable, match=r"gave up on a/first\.h5 after 3 attempts.*refused; check the network"):
        fetch(tmp_path, say=lines.append)
    assert lines[0] == "tiny 1/1: a/first.h5"
    assert len(lines) == 1 + 2
    assert names(tmp_path) == set()


def test_a_silent_server_keeps_what_came_before(start, tmp_path):
    server = start(ONE, stall_after=0)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/first.h5.part").write_bytes(ONE["a/first.h5"][:5000])
    with pytest.raises(Unreachable, match="timed out"):
        fetch(tmp_path, patience=Patience(attempts=2, pause=0.0, timeout=(5.0, 0.2)))
    assert len(server.requests) == 2
    assert (tmp_path / "a/first.h5.part").read_bytes() == ONE["a/first.h5"][:5000]


def test_progress_renews_the_patience(start, tmp_path):
    server = start(ONE, cut_after=[2 * BLOCK] * 5)
    fetch(tmp_path)
    assert len(server.requests) == 6 > HURRIED.attempts
    assert (tmp_path / "a/first.h5").read_bytes() == ONE["a/first.h5"]


def test_starting_over_is_no_progress(start, tmp_path):
    server = start(ONE, cut_after=[2 * BLOCK, BLOCK] * 25, honour_range=False)
    with pytest.raises(Unreachable, match="after 3 attempts"):
        fetch(tmp_path)
    assert len(server.requests) == 1 + 3


def test_a_full_disk(start, tmp_path):
    start(ONE)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/first.h5.part").symlink_to("/dev/full")
    with pytest.raises(InputError, match=r"cannot be used: No space left on device; free some space or .*--root"):
        fetch(tmp_path)
    assert not (tmp_path / "a/first.h5").exists()


def test_a_root_that_is_a_file(start, tmp_path):
    start(ONE)
    (tmp_path / "data").write_text("")
    with pytest.raises(InputError, match="data: cannot be used: File exists; choose another folder"):
        fetch(tmp_path / "data")


def test_two_processes_share_the_work(start, tmp_path):
    server = start(CONTENTS, stall_after=50_000)
    with other_process(tmp_path) as first:
        assert server.stalled.wait(60)
        with other_process(tmp_path) as second:
            assert second.stdout.readline() == f"another process is downloading to {tmp_path}; waiting for it\n"
            server.release.set()
            assert second.stdout.read() == ""
        assert first.wait() == second.wait() == 0
    assert len(server.requests) == len(CONTENTS)
    assert {path: (tmp_path / path).read_bytes() for path in CONTENTS} == CONTENTS
    assert names(tmp_path) == set(CONTENTS)


def test_a_stand_in_is_not_overwritten(start, tmp_path):
    server = start(ONE)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/first.h5").write_bytes(b"synthetic")
    (tmp_path / "a" / STAND_IN_NOTE).write_text("{}")
    with pytest.raises(InputError, match=r"a/first\.h5: belongs to a stand-in corpus, .*choose another folder"):
        fetch(tmp_path)
    assert server.requests == []
    assert (tmp_path / "a/first.h5").read_bytes() == b"synthetic"


def test_a_terminal_shows_progress(start, tmp_path):
    start(CONTENTS)
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    with other_process(tmp_path, stderr=terminal) as process:
        process.wait()
    os.close(terminal)
    shown = os.read(screen, 1 << 16).decode()
    os.close(screen)
    assert re.search(r"first\.h5: 100%.* 200k/200k ", shown)


def test_names_that_cannot_be_downloaded(tmp_path):
    closed = RestrictedCorpus("closed", "a closed corpus", (("closed/x.npy",),), "ask its owner")
    with pytest.raises(InputError, match=r"^closed: restricted, .*\./run_all\.sh data get closed says how"):
        get("closed", tmp_path, catalogue={"closed": closed})
    with pytest.raises(InputError, match=r"^unknown corpus 'tinny'; known: tiny$"):
        get("tinny", tmp_path, catalogue={"tiny": public_corpus(ONE)})


@pytest.mark.parametrize(
    ("variable", "server"),
    [
        ("", "https://raw.githubusercontent.com"),
        ("http://mirror.example/github/", "http://mirror.example/github"),
    ],
)
def test_the_mirror(monkeypatch, variable, server):
    monkeypatch.setenv("REPRISE_MIRROR", variable)
    assert mirror() == server


def test_a_mirror_that_is_no_address(monkeypatch, tmp_path):
    monkeypatch.setenv("REPRISE_MIRROR", "/srv/mirror")
    with pytest.raises(InputError, match=r"^REPRISE_MIRROR: '/srv/mirror' is no http\(s\) address$"):
        fetch(tmp_path)
