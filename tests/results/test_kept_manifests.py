"""Of results that are kept: whose data they are of, under which terms, and whom to cite."""

import json
import re

import pytest

from lib.data.pretrained import PARTS
from lib.files import WORKSPACE

KEPT = sorted(
    path
    for path in WORKSPACE.glob("results/*/*/manifest.json")
    if path.parent.name != "quick" and path.parts[-3] not in ("summary", "explore")
)


@pytest.mark.parametrize("path", KEPT, ids=lambda path: "/".join(path.parts[-3:-1]))
def test_every_source_has_terms_a_citation_and_those_of_the_parts(path):
    for source in json.loads(path.read_text(encoding="utf-8"))["data"]:
        if source["synthetic"]:
            continue
        assert re.search(r"; cite \w.* (19|20)\d\d\b", source["licence"]), source["name"]
        for part in PARTS.values():
            told = f"package {part.package} {part.version}: {part.licence}" in source["licence"]
            assert told == any(name in source["files"] for name in part.hashes()), part.name
