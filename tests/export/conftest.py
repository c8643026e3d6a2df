import pytest

from tests.export.exported_runs import colearned, exported, trained  # noqa: F401


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRISE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
