"""The CPU quota of a container: Docker's --cpus, Kubernetes' limits, or Slurm's cgroups.

Unlike an affinity, a quota hides no cores: processes on more of them are throttled. On Linux it is a limit of a control
group or of one of its parents (https://docs.kernel.org/admin-guide/cgroup-v2.html, and -v1/ for older systems).
"""

from pathlib import Path, PurePosixPath


def cpu_quota(root: Path = Path("/")) -> float | None:
    """Number of CPUs whose time this process may use, or None without a limit. ``root`` is that of the file system."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    limits = [limit for line in lines for limit in _limits(root / "sys/fs/cgroup", *line.split(":", 2)[1:])]
    return min(limits, default=None)


def _limits(mounted: Path, controllers: str, path: str) -> list[float]:
    """The limits of a control group and its parents; in a container, the parents may be those of the container only."""
    if not controllers:
        hierarchy, read = mounted, _unified_limit
    elif "cpu" in controllers.split(","):
        hierarchy, read = mounted / controllers, _legacy_limit
    else:
        return []
    group = PurePosixPath(path.lstrip("/"))
    found = (read(hierarchy / parent) for parent in (group, *group.parents))
    return [limit for limit in found if limit is not None]


def _unified_limit(group: Path) -> float | None:
    """The limit in ``cpu.max`` of version 2: microseconds per period, or max."""
    try:
        quota, period = (group / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else int(quota) / int(period)


def _legacy_limit(group: Path) -> float | None:
    """The limit of version 1, where -1 is none."""
    try:
        quota, period = (int((group / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
    except (OSError, ValueError):
        return None
    return quota / period if quota > 0 else None
