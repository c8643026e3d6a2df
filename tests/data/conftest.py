import os
from pathlib import Path

import pytest

from tests.data.readers import READERS


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """No test reads or fills the cache of the workspace."""
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def real_root() -> Path:
    """The data folder with the public corpora."""
    if not os.environ.get("REPRISE_DATA"):
        pytest.skip("needs the public corpora: set REPRISE_DATA to their folder")
    return Path(os.environ["REPRISE_DATA"])


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A folder of sound files per reader, made when it is first asked for."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp("sound")
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("REPRISE_CACHE", str(made[name] if name == "cache" else tmp_path_factory.mktemp("cache")))
                READERS[name].make(made[name])
        return made[name]

    return folder
