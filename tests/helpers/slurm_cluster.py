"""A real one-node Slurm cluster with its own munge, on loopback and in a temporary folder."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from postgres_server import free_port

DAEMONS = ("munged", "slurmctld", "slurmd")

CONFIGURATION = """\
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A job that comes again waits until its old credential is void: two minutes, unless told.
AuthInfo=socket={folder}/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
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
NodeName=localhost NodeAddr=127.0.0.1 NodeHostname={host} CPUs=2 State=UNKNOWN
PartitionName=cpu Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""


def can_run() -> bool:
    """Whether the daemons of Slurm and munge are installed, and this user may run them."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    return os.geteuid() == 0 and all(shutil.which(daemon, path=path) for daemon in DAEMONS)


@contextmanager
def running() -> Iterator[dict[str, str]]:
    """Run the cluster; yields the environment variables that Slurm's commands need."""
    with tempfile.TemporaryDirectory(prefix="nlb-search-slurm-") as name, ExitStack() as daemons:
        folder = Path(name)
        folder.chmod(0o755)  # munge requires a socket that every user can reach
        for part in ("munge", "state", "spool"):
            (folder / part).mkdir(mode=0o755)
        key = folder / "munge" / "key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        (folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                folder=folder,
                host=socket.gethostname().partition(".")[0],
                controller_port=free_port(),
                node_port=free_port(),
            )
        )
        environment = {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{os.environ['PATH']}:/usr/bin:/usr/sbin",
        }
        munge = [f"--{part}-file={folder / 'munge' / part}" for part in ("key", "pid", "log", "seed")]
        for command in (
            ["munged", "--foreground", f"--socket={folder / 'munge' / 'socket'}", *munge],
            ["slurmctld", "-D", "-c"],
            ["slurmd", "-D"],
        ):
            daemons.enter_context(_daemon(command, environment))
        _wait_until_idle(environment)
        try:
            yield environment
        finally:
            # Jobs left by a failed test would outlive the daemons.
            for ending in (["--signal=KILL"], []):
                subprocess.run(["scancel", "--user=root", *ending], env=os.environ | environment, check=False)
            _wait_until_idle(environment)


@contextmanager
def _daemon(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _wait_until_idle(environment: dict[str, str]) -> None:
    until = time.monotonic() + 20
    while True:
        shown = subprocess.run(
            ["sinfo", "--noheader", "--format=%T"],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        if shown.stdout.strip() == "idle":
            return
        assert time.monotonic() < until, f"the cluster did not come up: {shown.stdout}{shown.stderr}"
        time.sleep(0.2)
