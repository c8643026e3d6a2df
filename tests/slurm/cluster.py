"""A real Slurm of one node in a private folder, with devices that pretend to be GPUs and without accounting.

Slurm is installed by Debian's package manager if that is allowed (as root, `slurm-wlm`). Slurm's own job steps look for
the configuration in /etc/slurm only, so it is linked there while the cluster is up: never over somebody's own.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel")
SYSTEM = Path("/etc/slurm")
LINKED = ("slurm.conf", "gres.conf")
INSTALL_TIMEOUT_S = 240


class NoSlurm(Exception):
    """Why there can be no Slurm here."""


def ensure_installed() -> None:
    """Raises NoSlurm."""
    if all(map(shutil.which, PROGRAMS)):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise NoSlurm("Slurm is not installed, and only root on a Debian can install it")
    variables = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "--yes", "--no-install-recommends", "slurm-wlm"]):
        try:
            subprocess.run(
                ["apt-get", *words], check=True, capture_output=True, env=variables, timeout=INSTALL_TIMEOUT_S
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            raise NoSlurm(f"apt-get {words[0]} failed: {error}") from None
    if missing := [name for name in PROGRAMS if not shutil.which(name)]:
        raise NoSlurm(f"installed, but without {', '.join(missing)}")


class Cluster:
    """Start, break and stop it; to be closed in any case."""

    def __init__(self, folder: Path, gpus: int = 2, cpus: int = 4):
        if os.geteuid() != 0:
            raise NoSlurm("only root can start Slurm's daemons and link their configuration")
        if any((SYSTEM / name).exists() or (SYSTEM / name).is_symlink() for name in LINKED):
            raise NoSlurm(f"{SYSTEM} holds the configuration of another Slurm")
        self.folder = folder
        self.node = socket.gethostname().partition(".")[0]
        self._daemons: dict[str, subprocess.Popen] = {}
        for name in ("state", "spool", "log"):
            (folder / name).mkdir(parents=True)
        (folder / "slurm.conf").write_text(self._configuration(gpus, cpus))
        # Any character devices will do: nothing opens them.
        (folder / "gres.conf").write_text(f"Name=gpu File=/dev/tty[0-{gpus - 1}]\n")
        SYSTEM.mkdir(exist_ok=True)
        for name in LINKED:
            (SYSTEM / name).symlink_to(folder / name)
        try:
            self.start_daemon("slurmctld")
            self.start_daemon("slurmd")
            self.wait_for("idle")
        except BaseException:
            self.close()
            raise

    def _configuration(self, gpus: int, cpus: int) -> str:
        folder = self.folder
        settings = {
            "ClusterName": "test",
            "SlurmctldHost": f"{self.node}(127.0.0.1)",
            "SlurmUser": "root",
            "SlurmdUser": "root",
            # Anybody on this machine may claim to be anybody: fit for a machine that is thrown away.
            "AuthType": "auth/none",
            "CredType": "cred/none",
            "SlurmctldPort": 27817,
            "SlurmdPort": 27818,
            "StateSaveLocation": folder / "state",
            "SlurmdSpoolDir": folder / "spool",
            "SlurmctldPidFile": folder / "slurmctld.pid",
            "SlurmdPidFile": folder / "slurmd.pid",
            "SlurmctldLogFile": folder / "log/slurmctld.log",
            "SlurmdLogFile": folder / "log/slurmd.log",
            "ProctrackType": "proctrack/linuxproc",
            "TaskPlugin": "task/none",
            "SwitchType": "switch/none",
            "MpiDefault": "none",
            "SelectType": "select/cons_tres",
            "SelectTypeParameters": "CR_Core_Memory",
            "SchedulerType": "sched/backfill",
            "SchedulerParameters": "batch_sched_delay=0,sched_interval=2,bf_interval=2,sched_min_interval=0",
            "AccountingStorageType": "accounting_storage/none",
            "JobAcctGatherType": "jobacct_gather/none",
            "JobCompType": "jobcomp/none",
            "MinJobAge": 600,
            "ReturnToService": 2,
            "KillWait": 3,
            "OverTimeLimit": 0,
            "SlurmctldTimeout": 10,
            "SlurmdTimeout": 10,
            "GresTypes": "gpu",
            "SlurmdParameters": "config_overrides",  # more cores than the machine has
        }
        lines = [f"{name}={value}" for name, value in settings.items()]
        lines.append(
            f"NodeName={self.node} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=8000 Gres=gpu:{gpus} State=UNKNOWN"
        )
        lines.append(f"PartitionName=test Nodes={self.node} Default=YES MaxTime=60 State=UP")
        return "\n".join(lines) + "\n"

    def start_daemon(self, name: str) -> None:
        with (self.folder / "log" / f"{name}.out").open("a") as log:
            self._daemons[name] = subprocess.Popen(
                [name, "-D"], stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )

    def kill_node(self) -> None:
        """The node's daemon and all that it started die at once, as in a power cut."""
        daemon = self._daemons.pop("slurmd")
        steps = [process for process in psutil.process_iter() if process.name().startswith("slurmstepd")]
        own = [process for process in steps if self._is_ours(process)]
        doomed = own + [child for process in own for child in process.children(recursive=True)]
        daemon.kill()
        daemon.wait()
        for process in doomed:
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def _is_ours(self, step: psutil.Process) -> bool:
        """Whether a job step belongs to a job of this cluster."""
        return any(f"[{job}." in part for job in self.jobs() for part in [step.name(), *step.cmdline()])

    def wait_for(self, state: str, timeout: float = 30) -> None:
        deadline = time.monotonic() + timeout
        while state not in (now := self.ask("sinfo", "-h", "-o", "%t")):
            if time.monotonic() > deadline:
                raise NoSlurm(f"the node is {now!r}, not {state}, after {timeout} s")
            time.sleep(0.2)

    def ask(self, *command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True, timeout=30).stdout.strip()

    def jobs(self, state: str = "RUNNING") -> list[str]:
        return self.ask("squeue", "-h", "-t", state, "-o", "%i").split()

    def close(self) -> None:
        for job in self.jobs("PENDING,RUNNING"):
            self.ask("scancel", job)
        for daemon in self._daemons.values():
            daemon.send_signal(signal.SIGTERM)
        for daemon in self._daemons.values():
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
        for name in LINKED:
            if (SYSTEM / name).is_symlink():
                (SYSTEM / name).unlink()
