"""References to the specifications: each names a paper whose SPEC.md has the section or the quirk."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("lib", "tests", "benchmarks", "params", "notebooks", "docs")
WHERE = r",?[ \n#]+(?:sections?|quirks?|and|to|step \d+|Q?\d+(?:\.\d+)?(?:-\d+\.\d+)?)\b"
REFERENCE = re.compile(rf"\b[Ss]pec[ \n#]+([a-z]\w+)((?:{WHERE})+|(?=[,.);]))")
UNNAMED = re.compile(r"\b(?:[Ss]pec,?|[Ss]pecification,?)[ \n#]+(?:section|quirk|Q?\d)")


def specifications() -> dict[str, tuple[set[str], set[str]]]:
    """Sections and quirks by paper."""
    found = {}
    for path in sorted((ROOT / "lib" / "papers").glob("*/SPEC.md")):
        text = path.read_text(encoding="utf-8")
        sections = re.findall(r"^(?:#+ )?(\d+(?:\.\d+)?)\.? ", text, re.MULTILINE)
        found[path.parent.name] = set(sections), set(re.findall(r"^\| (Q?\d+) \|", text, re.MULTILINE))
    return found


def problems(text: str) -> list[str]:
    """What is wrong with the references in a text."""
    known, found = specifications(), [f"names no paper: {match[0]!r}" for match in UNNAMED.finditer(text)]
    for match in REFERENCE.finditer(text):
        if match[1] not in known:
            found.append(f"no such specification: {match[0]!r}")
            continue
        sections, quirks = known[match[1]]
        there, what = sections, "section"
        for word in re.findall(r"sections?|quirks?|step \d+|Q?\d+(?:\.\d+)?", match[2]):
            if word.startswith(("section", "quirk")):
                there, what = (quirks, "quirk") if word.startswith("quirk") else (sections, "section")
            elif not word.startswith("step") and word not in there:
                found.append(f"{match[1]} has no {what} {word}: {match[0]!r}")
    return found


def unclear(path: Path, text: str) -> list[str]:
    """Quirks whose specification neither they nor the file or folder they stand in tell, or that it does not have."""
    known = specifications()
    named = {match[1] for match in REFERENCE.finditer(text)} & set(known) or {n for n in path.parts if n in known}
    quirks = named.pop() if len(named) == 1 else None
    one_line = re.sub(r"\s*\n[ #]*", " ", text)
    bare = re.findall(r"(?<!, )(?<!and )\b[Qq]uirk (\d+)", one_line)
    return [number for number in bare if quirks is None or number not in known[quirks][1]]


def test_the_specifications_are_those_of_the_papers():
    assert set(specifications()) == {
        *("colearning", "emotion_embeddings", "end_to_end", "low_rank_fusion", "self_paced_balance")
    }
    assert {"4.2", "10"} <= specifications()["colearning"][0]
    assert {"3.5", "9.4"} <= specifications()["emotion_embeddings"][0]
    assert "Q22" in specifications()["end_to_end"][1]
    for path in (ROOT / "lib" / "papers").glob("*/SPEC.md"):
        assert not re.search(r"shared/|/work/|/home/|/root/|https?://", path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(spec lmf, section 3)", "no such specification"),
        ("(spec colearning, section 12)", "no section 12"),
        ("(spec colearning, sections 3 and\n    4.9)", "no section 4.9"),
        ("(spec low_rank_fusion, 1.2 to 1.9)", "no section 1.9"),
        ("(spec end_to_end, section 3 and quirk Q40)", "no quirk Q40"),
        ("(spec 4.2)", "names no paper"),
        ("Spec, section 3", "names no paper"),
    ],
)
def test_a_wrong_reference_is_noticed(text, words):
    assert [words in problem for problem in problems(text)] == [True]


def test_a_quirk_without_its_specification_is_noticed():
    assert unclear(Path("lib/a.py"), "(quirk 3)") == ["3"]
    assert unclear(Path("lib/papers/colearning/a.py"), "(quirk 3, quirk 40)") == []
    assert unclear(Path("lib/a.py"), "(spec colearning, section 3); (quirk 3) (quirk 40)") == ["40"]
    assert unclear(Path("lib/a.py"), "(spec colearning, 3) (spec end_to_end, 3) (quirk 3)") == ["3"]


def test_every_reference_stands_in_the_specification_of_its_paper():
    wrong, unknown, counted = {}, {}, 0
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.*")):
        if path.suffix not in (".py", ".md", ".yaml", ".ipynb") or path in (Path(__file__).resolve(),):
            continue
        text = path.read_text(encoding="utf-8")
        counted += len(REFERENCE.findall(text))
        if found := problems(text):
            wrong[path.relative_to(ROOT).as_posix()] = found
        if found := unclear(path.relative_to(ROOT), text):
            unknown[path.relative_to(ROOT).as_posix()] = found
    assert wrong == {}
    assert unknown == {}
    assert counted > 150
