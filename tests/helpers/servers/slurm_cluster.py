"""A real Slurm cluster of several nodes with its own munge, on loopback and in a temporary folder."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.helpers.servers.postgres_server import free_port

DAEMONS = ("munged", "slurmctld", "slurmd")

CONFIGURATION = """\
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A job that comes again waits until its old credential is void: two minutes, unless told.
AuthInfo=socket={folder}/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
# A node that does not answer for so long is down.
SlurmdTimeout=8
# No control groups: a container may not make any.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=1,sched_interval=2,bf_interval=1
PreemptMode=REQUEUE
PreemptType=preempt/partition_prio
PartitionName=cpu Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=2
"""

NODE = "NodeName={name} NodeAddr=127.0.0.1 NodeHostname={host} Port={port} CPUs=1 State=UNKNOWN\n"


def can_run() -> bool:
    """Whether the daemons of Slurm and munge are installed, and this user may run them."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    return os.geteuid() == 0 and all(shutil.which(daemon, path=path) for daemon in DAEMONS)


@dataclass(frozen=True)
class Cluster:
    """A running cluster. Slurm's commands need the variables of ``environment``."""

    environment: dict[str, str]
    nodes: dict[str, subprocess.Popen[bytes]]

    def run(self, *command: str) -> str:
        """The output of one of Slurm's commands."""
        environment = os.environ | self.environment
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.strip()

    def lose(self, node: str) -> None:
        """Kill a node, as if its machine had lost power: its daemon, and all processes of its jobs."""
        self.nodes[node].kill()
        for process in _of_jobs(node):
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def wait_until_idle(self) -> None:
        """Wait until all nodes that are not lost wait for jobs."""
        until = time.monotonic() + 30
        while set(self.run("sinfo", "--noheader", "--responding", "--format=%T").split()) != {"idle"}:
            assert time.monotonic() < until, f"the cluster is not idle: {self.run('sinfo')}"
            time.sleep(0.2)


def _of_jobs(node: str) -> list[psutil.Process]:
    """The processes of a node's jobs, and those of Slurm that watch them."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("SLURMD_NODENAME") == node:
                watchers = [parent for parent in process.parents() if parent.name() == "slurmstepd"]
                found += [process, *watchers]
    return found


@contextmanager
def running(*nodes: str) -> Iterator[Cluster]:
    """Run a cluster with these nodes of one core each. Jobs of the partition ``urgent`` preempt those of ``cpu``."""
    with tempfile.TemporaryDirectory(prefix="nlb-search-slurm-") as name, ExitStack() as daemons:
        folder = Path(name)
        folder.chmod(0o755)  # munge requires a socket that every user can reach
        for part in ("munge", "state"):
            (folder / part).mkdir(mode=0o755)
        key = folder / "munge" / "key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        host = socket.gethostname().partition(".")[0]
        (folder / "slurm.conf").write_text(
            CONFIGURATION.format(folder=folder, controller_port=free_port())
            + "".join(NODE.format(name=node, host=host, port=free_port()) for node in nodes)
        )
        environment = {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{os.environ['PATH']}:/usr/bin:/usr/sbin",
        }
        munge = [f"--{part}-file={folder / 'munge' / part}" for part in ("key", "pid", "log", "seed")]
        daemons.enter_context(
            _daemon(["munged", "--foreground", f"--socket={folder / 'munge' / 'socket'}", *munge], environment)
        )
        daemons.enter_context(_daemon(["slurmctld", "-D", "-c"], environment))
        started = {node: daemons.enter_context(_daemon(["slurmd", "-D", "-N", node], environment)) for node in nodes}
        cluster = Cluster(environment, started)
        cluster.wait_until_idle()
        try:
            yield cluster
        finally:
            # Jobs left by a failed test would outlive the daemons.
            for ending in (["--signal=KILL"], []):
                subprocess.run(["scancel", "--user=root", *ending], env=os.environ | environment, check=False)
            cluster.wait_until_idle()


@contextmanager
def _daemon(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
