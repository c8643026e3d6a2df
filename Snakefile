# One job per run, and one per chunk of a run that is cut into chunks; such a run starts when its chunks are done. Which
# runs are stale is decided by content in lib/workflow/freshness.py, never by file times: `run_all.sh` names those runs
# as targets and forces them, and it removes the marks of stale chunks. A job declares its status file alone, because
# Snakemake deletes what a failed job declares, and the partly executed notebook and the records must stay.
import sys

CHUNKS = dict(part.rsplit(":", 1) for part in str(config.get("chunks", "")).split(",") if part)
DEVICES = f"--devices {config['devices']}" if "devices" in config else ""


wildcard_constraints:
    notebook=r"[^/]+",
    name=r"[^/]+",
    number=r"\d+",
    total=r"\d+",


def chunks_of_run(wildcards):
    count = int(CHUNKS.get(f"{wildcards.notebook}/{wildcards.name}", 0))
    folder = f"results/{wildcards.notebook}/{wildcards.name}/members/chunks"
    return [f"{folder}/{number}-of-{count}.json" for number in range(1, count + 1)]


rule run:
    input:
        chunks_of_run,
    output:
        "results/{notebook}/{name}/status.json",
    params:
        python=lambda wildcards: sys.executable,  # a string would be a pattern
        devices=DEVICES,
    threads: config.get("threads", 1)
    resources:
        device=1 if DEVICES else 0,
    shell:
        "exec {params.python:q} -I -X utf8 lib/workflow/launch.py lib.workflow.runner"
        " {wildcards.notebook:q} {wildcards.name:q}"
        " --cores {threads} {params.devices}"


rule chunk:
    output:
        "results/{notebook}/{name}/members/chunks/{number}-of-{total}.json",
    params:
        python=lambda wildcards: sys.executable,  # a string would be a pattern
        devices=DEVICES,
    threads: config.get("chunk_threads", 1)
    resources:
        device=1 if DEVICES else 0,
    shell:
        "exec {params.python:q} -I -X utf8 lib/workflow/launch.py lib.workflow.runner"
        " {wildcards.notebook:q} {wildcards.name:q}"
        " --chunk {wildcards.number}-of-{wildcards.total} --cores {threads} {params.devices}"
