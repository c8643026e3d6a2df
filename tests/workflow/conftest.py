"""Miniature workspaces: one that has never run, one whose two runs have succeeded; every test gets its own copy."""

import shutil
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.workflow.workspace import Workspace


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Workspace:
    return Workspace.make(tmp_path_factory.mktemp("template") / "workspace")


@pytest.fixture(scope="session")
def finished_template(template, tmp_path_factory) -> Workspace:
    workspace = template.copy(tmp_path_factory.mktemp("finished") / "my workspace")
    for run in ("alpha/quick", "beta/quick"):
        ran = workspace.runner(run)
        assert ran.code == 0, ran
    return workspace


@pytest.fixture
def workspace(template, tmp_path) -> Iterator[Workspace]:
    with closing(template.copy(tmp_path / "workspace")) as workspace:
        yield workspace


@pytest.fixture
def small(template, tmp_path) -> Iterator[Workspace]:
    """Of one run, alpha/quick."""
    with closing(template.copy(tmp_path / "workspace")) as workspace:
        shutil.rmtree(workspace.root / "params/beta")
        yield workspace


@pytest.fixture
def finished(finished_template, tmp_path) -> Iterator[Workspace]:
    with closing(finished_template.copy(tmp_path / "my workspace")) as workspace:
        yield workspace
