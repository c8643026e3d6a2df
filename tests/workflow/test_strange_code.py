"""A model outside the workspace is executed for a run that the user has called by its whole name, and for no other."""

import pytest

MODEL = "from pathlib import Path\n\n\nclass Mine:\n    pass\n\n\nPath({marker!r}).touch()\n"


@pytest.fixture
def marker(tmp_path):
    """What the model's file makes once it is run."""
    return tmp_path / "was run"


@pytest.fixture(params=["model", "models"])
def outside(workspace, tmp_path, marker, request):
    """alpha/quick names a model outside, beta/quick none; as its one model, or as one of several, as the bench does."""
    path = tmp_path / "strange.py"
    path.write_text(MODEL.format(marker=str(marker)))
    named = f"{path}:Mine"
    given = {"model": named} if request.param == "model" else {"models": [{"model": named}]}
    workspace.parameters("alpha/quick", number=3, **given)
    return workspace


def test_without_a_name_it_is_left_out_in_one_line_and_the_others_run(outside, marker, tmp_path):
    ended = outside.run_all()
    assert ended.code == 0
    assert ended.err == (
        f"skipped: alpha/quick: its model {tmp_path}/strange.py:Mine lies outside the workspace, and is executed only "
        "for a run that is named; name it if you trust that file: --only alpha/quick\n"
    )
    assert ended.state("beta/quick") == "ran"
    assert not outside.path("alpha/quick", "status.json").exists()
    assert not marker.exists()


@pytest.mark.parametrize("arguments", [("--only", "alpha"), ("--only", "alpha", "--dry-run")])
def test_its_notebook_is_not_its_name(outside, marker, arguments):
    ended = outside.run_all(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("run_all.sh: alpha/quick: its model ")
    assert ended.err.count("\n") == 1
    assert not marker.exists()


def test_by_its_name_it_runs(outside, marker):
    ended = outside.run_all("--only", "alpha/quick")
    assert (ended.code, ended.err, ended.state("alpha/quick")) == (0, "", "ran")
    assert marker.exists()


def test_a_model_in_the_workspace_is_an_input_like_any_other(workspace, marker):
    workspace.write("models/mine.py", MODEL.format(marker=str(marker)))
    workspace.parameters("alpha/quick", number=3, model=str(workspace.root / "models/mine.py:Mine"))
    first = workspace.run_all("--only", "alpha")
    assert (first.code, first.state("alpha/quick"), marker.exists()) == (0, "ran", True)
    assert workspace.run_all("--only", "alpha").state("alpha/quick") == "up to date"
    workspace.write("models/mine.py", MODEL.format(marker=str(marker)) + "\n")
    ended = workspace.run_all("--only", "alpha", "--dry-run")
    assert "models/mine.py)" in ended.out and "changed: " in ended.out


def test_a_model_that_cannot_be_read_is_refused_when_it_runs(workspace):
    workspace.parameters("alpha/quick", number=3, model="models/nothing.py:Mine")
    ended = workspace.run_all("--only", "alpha")
    assert ended.code == 2
    assert "input_error: models/nothing.py: cannot be read: No such file or directory" in ended.out
