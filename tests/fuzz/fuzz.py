"""Coverage-guided fuzzing of the readers: `python -m tests.fuzz.fuzz --seconds 60 [TARGET...]`, from the workspace.

Needs the package atheris, which is no requirement of the workspace (see README.md here). Each target runs for the
given time in a process of its own, starting from the sound file and from all files of `tests/data/hostile_files.py`.
What makes a reader fail is kept in `tests/fuzz/found/<target>-<hash>`, and the tests replay it from then on. The
counts go to `log.csv`.
"""

import argparse
import ast
import csv
import hashlib
import io
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOUND, LOG = HERE / "found", HERE / "log.csv"
LONGEST = 2**16
COLUMNS = ("target", "seconds", "executions", "inputs", "edges", "lines", "lines_of", "findings", "written")
PICKLED = re.compile(r"\.(pkl|p|pt|npy)$")
OURS = ["lib.data", "lib.errors"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=60, help="per target")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        return fuzz(given.targets[0], Path(given.inside), given.seconds)
    from tests.fuzz.targets import TARGETS

    rows = {row["target"]: row for row in read_log()}
    for name in given.targets or TARGETS:
        rows[name] = run(name, given.seconds)
        write_log([rows[known] for known in TARGETS if known in rows])
        print({column: rows[name][column] for column in COLUMNS}, flush=True)
    return 1 if any(int(row["findings"]) for row in rows.values()) else 0


def run(name: str, seconds: int) -> dict[str, object]:
    """One target for some time; a finding is kept, and the time that is left is used as well."""
    findings, executions, edges = 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        inputs, started = Path(folder) / "inputs", time.monotonic()
        inputs.mkdir()
        while (left := int(seconds - (time.monotonic() - started))) > 0:
            command = [sys.executable, "-m", "tests.fuzz.fuzz", name, "--seconds", str(left), "--inside", str(inputs)]
            done = subprocess.run(command, cwd=HERE.parents[1], capture_output=True, text=True, errors="replace")
            executions += int((re.findall(r"number_of_executed_units: (\d+)", done.stderr) or ["0"])[-1])
            edges = max([edges, *map(int, re.findall(r" cov: (\d+)", done.stderr))])
            crashes = [path for path in inputs.parent.iterdir() if path.name.startswith(("crash-", "timeout-", "oom-"))]
            if not crashes:
                if done.returncode:
                    raise SystemExit(done.stderr[-3000:])
                break
            for crash in crashes:
                content = crash.read_bytes()
                FOUND.mkdir(exist_ok=True)
                (FOUND / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}").write_bytes(content)
                crash.unlink()
                print(f"{name}: {crash.name}: {(done.stdout + done.stderr)[:3000]}", flush=True)
                findings += 1
            if findings >= 5:
                break
        took = time.monotonic() - started
        lines, of = covered_lines(name, inputs)
        count = len(list(inputs.iterdir()))
    written = time.strftime("%Y-%m-%d", time.gmtime())
    values = (name, round(took), executions, count, edges, lines, of, findings, written)
    return dict(zip(COLUMNS, values, strict=True))


def fuzz(name: str, inputs: Path, seconds: int) -> int:
    import atheris

    with atheris.instrument_imports(include=OURS):
        from tests.fuzz.targets import opened

    with opened(name) as target:
        for seed in target.seeds(LONGEST):
            (inputs / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
        options = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-timeout=20", "-rss_limit_mb=4000", "-seed=1"]
        options += ["-print_final_stats=1", f"-artifact_prefix={inputs.parent}/"]
        atheris.Setup([sys.argv[0], *options, str(inputs)], target.feed)
        atheris.Fuzz()
    return 0


def covered_lines(name: str, inputs: Path) -> tuple[int, int]:
    """Lines of the functions of the reader's own modules that these inputs reach, and all of them."""
    from coverage import Coverage

    from tests.fuzz.targets import TARGETS, opened

    coverage = Coverage(data_file=None, include=["*/lib/data/*"], messages=False)
    with opened(name) as target:
        modules = target.reader.modules
        coverage.start()
        for path in inputs.iterdir():
            try:
                target.feed(path.read_bytes())
            except Exception:  # findings are kept elsewhere
                continue
        coverage.stop()
    lines, of = 0, 0
    for module in (*modules, "safe_pickle") if PICKLED.search(TARGETS[name][1]) else modules:
        path = HERE.parents[1] / "lib" / "data" / f"{module}.py"
        _, statements, missing, _ = coverage.analysis(str(path))
        reading = set(statements) & body_lines(path)
        lines, of = lines + len(reading - set(missing)), of + len(reading)
    return lines, of


def body_lines(path: Path) -> set[int]:
    """Lines within functions, but for those that write: the rest runs when the module is imported."""
    functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
    reading = [f for f in functions if not f.name.startswith(("write", "_write", "_save", "_section"))]
    return {line for f in reading for line in range(f.body[0].lineno, f.end_lineno + 1)}


def read_log() -> list[dict[str, str]]:
    return list(csv.DictReader(LOG.open(encoding="utf-8", newline=""))) if LOG.exists() else []


def write_log(rows: list[dict]) -> None:
    handle = io.StringIO()
    writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    LOG.write_text(handle.getvalue(), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
