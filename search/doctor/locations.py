"""Checks of the locations of a study: its storage, checkpoint folder, recording and workers."""

import shutil
import time
from collections import defaultdict
from functools import partial
from pathlib import Path

import psutil
import sqlalchemy

from nlb_search.data.datasets import DATASETS
from nlb_search.search.doctor.check import Check
from nlb_search.search.doctor.orphans import check_orphans
from nlb_search.search.study.open_study import Locations, OpenStudy
from nlb_search.search.study.specification import installed_versions
from nlb_search.search.trials.trial_attributes import VERSION_KEY
from nlb_search.storage.checkpoints import check_folder
from nlb_search.storage.claims.owner import OWNER_KEY
from nlb_search.storage.database.opening import engine_of, open_database
from nlb_search.storage.database.urls import StorageUrl
from nlb_search.storage.errors import StorageError

MOST_SKEW_SECONDS = 60.0
LEAST_FREE_GIB = 1.0
NETWORK_FILE_SYSTEMS = ("nfs", "cifs", "smb", "lustre", "gpfs", "beegfs", "ceph", "fuse.sshfs", "9p")

_TABLES = sqlalchemy.text("SELECT version_num FROM alembic_version")
_NOW = {"postgresql": "SELECT extract(epoch FROM clock_timestamp())", "mysql": "SELECT unix_timestamp(now(6))"}


def check_storage(url: StorageUrl) -> Check:
    """Whether the database responds, its version and that of its tables. A missing database is not a problem."""
    if url.on_disk is not None and not url.on_disk.exists():
        return Check("storage", f"{url} does not exist yet: `nlb-search launch` creates it")
    try:
        with engine_of(open_database(url)).connect() as connection:
            server = connection.dialect.server_version_info or ()
            tables = connection.execute(_TABLES).scalar_one()
    except StorageError as error:
        return Check("storage", str(error), "start the database, or give another --storage")
    found = f"{url} responds, {url.backend} {'.'.join(map(str, server))}, Optuna's tables in version {tables}"
    return Check("storage", found)


def check_clock(url: StorageUrl) -> Check:
    """The difference between the clocks of this machine and of the database server."""
    if url.backend not in _NOW or url.private_server is not None:
        return Check("clock", "the database is on this machine")
    with engine_of(open_database(url)).connect() as connection:
        before = time.time()
        there = float(connection.execute(sqlalchemy.text(_NOW[url.backend])).scalar_one())
        skew = there - (before + time.time()) / 2
    far = abs(skew) > MOST_SKEW_SECONDS
    return Check("clock", f"{skew:+.1f} s to the database", "synchronize the clocks with NTP" if far else "")


def check_locks(url: StorageUrl) -> Check:
    """SQLite needs locks that network file systems do not provide reliably (https://www.sqlite.org/faq.html#q5)."""
    file = url.sqlite_file
    if file is None:
        return Check("locks", f"provided by {url.backend}")
    kind = _file_system(file.parent)
    if kind.startswith(NETWORK_FILE_SYSTEMS):
        advice = "move the file to a local disk, or use postgres-local:DIR or a PostgreSQL server"
        return Check("locks", f"{file} is on a network file system ({kind})", advice)
    return Check("locks", f"{file} is on a local file system ({kind})")


def check_artifacts(artifacts: Path) -> Check:
    """Whether checkpoints can be written, and whether other machines may share the folder."""
    existing = next(folder for folder in (artifacts, *artifacts.parents) if folder.exists())
    try:
        check_folder(existing)
    except StorageError as error:
        return Check("checkpoints", str(error), "change the folder's owner, or choose another with --artifacts")
    shared = _file_system(existing).startswith(NETWORK_FILE_SYSTEMS)
    reach = "a network file system: other machines can share it" if shared else "a disk of this machine"
    return Check("checkpoints", f"{artifacts} is writable, {reach}")


def check_disk(artifacts: Path) -> Check:
    existing = next(folder for folder in (artifacts, *artifacts.parents) if folder.exists())
    free = shutil.disk_usage(existing).free / 2**30
    advice = "delete files: workers continue without checkpoints when the disk is full" if free < LEAST_FREE_GIB else ""
    return Check("disk", f"{free:.1f} GiB free for checkpoints", advice)


def check_data(data: Path) -> Check:
    """The benchmark's datasets in the folder of recordings. Having none is fine before a study exists."""
    from nlb_search.data.opening import has_recording

    found = [name for name in DATASETS if has_recording(name, data)]
    return Check("recordings", f"{', '.join(found) or 'no dataset of the benchmark'} in {data}")


def check_recording(study: OpenStudy) -> Check:
    """Whether the study's recording is found, can be read, and has the content with which the study was created."""
    recording = study.recording()
    trials = recording.train.n_trials + recording.val.n_trials
    return Check(
        "recording", f"{recording.name} in {study.locations.data}: {trials} trials of train and val, as expected"
    )


def check_models(study: OpenStudy) -> Check:
    """Whether users' models can be imported here, from the sources with which the study was created."""
    from nlb_search.models.architecture.architectures import parse_architecture
    from nlb_search.models.architecture.own.model import OwnModel
    from nlb_search.search.study.own_sources import check_sources

    models = [model for model in map(parse_architecture, study.spec.architectures) if isinstance(model, OwnModel)]
    # Before the import, which executes the source.
    check_sources(study.spec.versions, study.spec.architectures)
    for model in models:
        model.imported()
    names = ", ".join(map(str, models))
    return Check("models", f"{names} imported, sources as expected" if models else "only chains: nothing to import")


def check_workers(study: OpenStudy) -> Check:
    """The versions of nlb-search that ran the study's trials, and their machines."""
    hosts: dict[str, set[str]] = defaultdict(set)
    for trial in study.study.get_trials(deepcopy=False):
        owner = trial.user_attrs.get(OWNER_KEY) or {}
        if VERSION_KEY in trial.user_attrs:
            hosts[trial.user_attrs[VERSION_KEY]].add(owner.get("host", "a released trial"))
    here = installed_versions()["nlb-search"]
    seen = "; ".join(f"{version} on {', '.join(sorted(names))}" for version, names in sorted(hosts.items()))
    same = hosts.keys() <= {here}
    advice = f"install one version on all machines: here it is {here}"
    found = f"nlb-search {seen}" if seen else "unknown: no trial stores the version that ran it"
    return Check("workers", found, "" if same else advice)


def _file_system(folder: Path) -> str:
    """The type of the file system of an existing folder, such as ext4 or nfs4."""
    mounts = {Path(disk.mountpoint): disk.fstype for disk in psutil.disk_partitions(all=True)}
    place = folder.resolve()
    return next((mounts[parent] for parent in (place, *place.parents) if parent in mounts), "unknown")


def location_checks(locations: Locations) -> dict[str, partial[Check]]:
    """The checks that need no study, by name."""
    return {
        "storage": partial(check_storage, locations.url),
        "clock": partial(check_clock, locations.url),
        "locks": partial(check_locks, locations.url),
        "checkpoints": partial(check_artifacts, locations.artifacts),
        "disk": partial(check_disk, locations.artifacts),
        "orphans": partial(check_orphans, locations),
    }
