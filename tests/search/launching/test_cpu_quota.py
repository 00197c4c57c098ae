"""The CPU quota of a container, from files as the kernel writes them."""

import os
from pathlib import Path

import pytest

from nlb_search.search.launching import slots
from nlb_search.search.launching.cpu_quota import cpu_quota


def _files(root: Path, cgroup: str, limits: dict[str, str]) -> Path:
    for name, content in {"proc/self/cgroup": cgroup, **limits}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    return root


CGROUPS = "sys/fs/cgroup"
LEGACY = "12:pids:/x\n4:cpu,cpuacct:/docker/ab12\n1:name=systemd:/x"
CPU = f"{CGROUPS}/cpu,cpuacct"


@pytest.mark.parametrize(
    ("cgroup", "limits", "quota"),
    [
        ("0::/", {f"{CGROUPS}/cpu.max": "150000 100000"}, 1.5),
        ("0::/", {f"{CGROUPS}/cpu.max": "max 100000"}, None),
        ("0::/", {}, None),
        (
            "0::/slurm/job_7/step_0",
            {f"{CGROUPS}/slurm/job_7/cpu.max": "400000 100000", f"{CGROUPS}/slurm/job_7/step_0/cpu.max": "max 100000"},
            4.0,
        ),
        # The path is the host's; the container has mounted its own group.
        (LEGACY, {f"{CPU}/cpu.cfs_quota_us": "50000", f"{CPU}/cpu.cfs_period_us": "100000"}, 0.5),
        (LEGACY, {f"{CPU}/docker/ab12/cpu.cfs_quota_us": "-1", f"{CPU}/docker/ab12/cpu.cfs_period_us": "100000"}, None),
    ],
)
def test_quota_is_the_smallest_limit(cgroup: str, limits: dict[str, str], quota: float | None, tmp_path: Path) -> None:
    assert cpu_quota(_files(tmp_path, cgroup, limits)) == quota


def test_systems_without_control_groups_have_no_quota(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path) is None


@pytest.mark.parametrize(("quota", "cores"), [(0.5, 1), (1.0, 1), (10_000.0, None), (None, None)])
def test_default_number_of_workers_respects_the_quota(
    quota: float | None, cores: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "cpu_quota", lambda: quota)
    assert slots.usable_cores() == (cores or len(os.sched_getaffinity(0)))
