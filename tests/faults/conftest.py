"""The tiny workspace: one that has never run, one that has run undisturbed; every test gets its own copy."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.faults.tiny import RUN, fingerprint, make
from tests.workflow.workspace import Workspace


@pytest.fixture(scope="session")
def tiny_template(tmp_path_factory) -> Workspace:
    return make(tmp_path_factory.mktemp("tiny") / "workspace")


@pytest.fixture(scope="session")
def undisturbed_template(tiny_template, tmp_path_factory) -> Workspace:
    workspace = tiny_template.copy(tmp_path_factory.mktemp("undisturbed") / "workspace")
    ended = workspace.run_all("--only", RUN, "--cores", "1")
    assert ended.code == 0, ended
    return workspace


@pytest.fixture(scope="session")
def expected(undisturbed_template) -> dict[str, str]:
    """What the undisturbed run found."""
    return fingerprint(undisturbed_template)


@pytest.fixture
def tiny(tiny_template, tmp_path) -> Iterator[Workspace]:
    with closing(tiny_template.copy(tmp_path / "workspace")) as workspace:
        yield workspace


@pytest.fixture
def undisturbed(undisturbed_template, tmp_path) -> Iterator[Workspace]:
    with closing(undisturbed_template.copy(tmp_path / "workspace")) as workspace:
        yield workspace
