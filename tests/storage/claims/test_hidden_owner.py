"""A worker of another user whose process /proc hides is not considered dead."""

import os
import shutil
import subprocess
import sys

import pytest

NO_MOUNT = 77

LOOK = """
import os
from nlb_search.storage.claims.owner import Owner

there = Owner.new()
gone = Owner(**(there.as_attribute() | {"pid": 2**22 - 1}))
if os.fork() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    assert not os.path.exists(f"/proc/{there.pid}")
    print(there.is_certainly_dead(), gone.is_certainly_dead(), flush=True)
else:
    os.wait()
"""


def test_hidden_process_is_alive_and_ended_process_is_dead() -> None:
    unshare = shutil.which("unshare")
    if os.geteuid() != 0 or unshare is None:
        pytest.skip("only root may mount another /proc")
    command = f'mount -t proc -o hidepid=2 proc /proc || exit {NO_MOUNT}; exec "{sys.executable}" -c "$LOOK"'
    done = subprocess.run(
        [unshare, "--mount", "sh", "-c", command], env=os.environ | {"LOOK": LOOK}, capture_output=True, text=True
    )
    if done.returncode == NO_MOUNT:
        pytest.skip(f"/proc cannot be mounted: {done.stderr.strip()}")
    assert done.stdout.split() == ["False", "True"], done.stderr
