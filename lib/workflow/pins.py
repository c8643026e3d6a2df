"""Writes `requirements.lock` from the packages installed here: `python -m lib.workflow.pins > requirements.lock`."""

import tomllib
from collections.abc import Iterable
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from lib.workflow.runs import ROOT

HEAD = """\
# Exact versions of every package that pyproject.toml asks for, directly or not.
# Written by `python -m lib.workflow.pins` from an environment that passed the tests; do not edit by hand.
"""


def direct() -> list[Requirement]:
    """What pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [Requirement(text) for text in project["dependencies"]]


def pins(requirements: Iterable[Requirement]) -> dict[str, str]:
    """Installed versions of the requirements and of all that these need here, by canonical name, sorted."""
    found: dict[str, str] = {}
    queue = [(requirement, frozenset({""})) for requirement in requirements]
    seen = set()
    while queue:
        requirement, extras = queue.pop()
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in extras):
            continue
        name = canonicalize_name(requirement.name)
        wanted = frozenset({"", *requirement.extras})
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        package = metadata.distribution(name)
        # `+cpu` and the like name a build, which the machine that installs chooses.
        found[name] = Version(package.version).public
        queue += [(Requirement(text), wanted) for text in package.requires or ()]
    return dict(sorted(found.items()))


if __name__ == "__main__":
    print(HEAD + "\n".join(f"{name}=={version}" for name, version in pins(direct()).items()))
