"""Parameter files that mean harm: one line and exit code 2, nothing is run and nothing is waited for."""

import pytest

from lib.errors import InputError
from lib.papers import load, schemas

BOMB = "\n".join(["a0: &a0 [x, x]", *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60))])
HOSTILE = {
    "object tag": ("number: !!python/object/apply:os.mkdir [{marker}]", "could not determine a constructor"),
    "new object": ("number: !!python/object/new:os.system ['touch {marker}']", "could not determine a constructor"),
    "name tag": ("number: !!python/name:os.system ''", "could not determine a constructor"),
    "module tag": ("number: !!python/module:antigravity ''", "could not determine a constructor"),
    "own tag": ("number: !include /etc/passwd", "could not determine a constructor"),
    "bomb of references": (BOMB, "references"),
    "merged keys": ("base: &b {{number: 1}}\n<<: *b", "references"),
    "deep": ("number: " + "[" * 20_000, "nested too deeply|not readable as YAML"),
    "deep mappings": ("".join(f"{' ' * i}a:\n" for i in range(3000)), "nested too deeply|not readable as YAML"),
    "list as key": ("? [1, 2]\n: 3", "not readable as YAML"),
    "mapping as key": ("? {{a: 1}}\n: 3", "not readable as YAML"),
    "impossible date": ("number: 2001-99-99", "not readable as YAML"),
    "long number": ("number: " + "9" * 5000, "not readable as YAML"),
    "key twice": ("number: 1\nnumber: 2", "given twice"),
    "NaN": ("number: .nan", "number"),
    "infinity": ("number: .inf", "number"),
    "long text": ("number: " + "x" * 10**6, "number"),
    "escape sequences": ('"\\e]0;owned\\a": 1', "unknown key"),
    "numbers as keys": ("1: 2", "key|valid"),
    "two documents": ("number: 1\n---\nnumber: 2", "not readable as YAML"),
    "no mapping": ("[1, 2]", "expected `key: value` lines"),
    "the runner's keys": ("number: 1\nresults: ../../../elsewhere", "set by the runner"),
}


@pytest.fixture
def given(tmp_path, monkeypatch):
    """Writes params/iemocap_negative_colearning/hostile.yaml in an empty workspace."""

    def write(content: bytes):
        path = tmp_path / "params" / "iemocap_negative_colearning" / "hostile.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return write


def test_every_schema_is_known():
    assert "iemocap_negative_colearning" in schemas()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_one_line(name, given, tmp_path):
    marker = tmp_path / "marker"
    text, message = HOSTILE[name]
    path = given(text.format(marker=marker).encode())
    with pytest.raises(InputError, match=message) as refusal:
        load(path, results="results/x", data_root="", cores=1)
    line = str(refusal.value)
    assert line.startswith("params/iemocap_negative_colearning/hostile.yaml: ")
    assert line.isprintable()
    assert len(line) < 2000
    assert not marker.exists()


@pytest.mark.parametrize("content", [b"\xff\xfen\x00", b"number: \xe9", b"number: 1\x00", b"\x7fELF" + bytes(99), b""])
def test_what_is_no_text_is_one_line(content, given):
    with pytest.raises(InputError, match=r"not readable as YAML|expected `key: value` lines") as refusal:
        load(given(content), results="x")
    assert str(refusal.value).isprintable()


def test_a_folder_instead_of_a_file(given):
    path = given(b"")
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match="not readable as YAML"):
        load(path, results="x")


@pytest.mark.parametrize("name", ["object tag", "bomb of references", "escape sequences"])
def test_a_run_ends_with_2(name, workspace):
    workspace.write("params/alpha/quick.yaml", HOSTILE[name][0].format(marker=workspace.root / "marker"))
    ended = workspace.runner("alpha/quick")
    assert ended.code == 2, ended
    assert not (workspace.root / "marker").exists()
    failure = workspace.record("alpha/quick", "failure.json")
    assert failure["state"] == "input_error"
    assert failure["message"].isprintable()


def test_run_all_ends_with_2(workspace):
    workspace.write("params/alpha/quick.yaml", HOSTILE["bomb of references"][0])
    ended = workspace.run_all("--only", "alpha")
    assert ended.code == 2
    assert "Traceback" not in ended.out + ended.err
