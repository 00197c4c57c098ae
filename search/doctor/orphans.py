"""The check for checkpoint folders that belong to no study, such as those of a database that was deleted."""

from pathlib import Path

from nlb_search.search.doctor.check import Check
from nlb_search.search.study.open_study import Locations
from nlb_search.storage.database.opening import open_database
from nlb_search.storage.studies import study_identities
from nlb_search.storage.study_identity import has_unique_part

SHOWN = 5


def check_orphans(locations: Locations) -> Check:
    """Folders of checkpoints that no study of the storage uses. Not a failure: another storage may use them."""
    database = locations.url.on_disk
    known = set() if database is not None and not database.exists() else study_identities(open_database(locations.url))
    orphans = sorted(folder for folder in _folders(locations.artifacts) if folder.name not in known)
    if not orphans:
        return Check("orphans", "all checkpoint folders belong to a study")
    size = sum(file.stat().st_size for folder in orphans for file in folder.rglob("*") if file.is_file())
    names = ", ".join(folder.name for folder in orphans[:SHOWN])
    more = f" and {len(orphans) - SHOWN} more" if len(orphans) > SHOWN else ""
    return Check(
        "orphans",
        f"no study of this storage uses the checkpoints in {names}{more} ({size / 1e6:.1f} MB): delete them unless "
        f"another storage uses {locations.artifacts}",
    )


def _folders(artifacts: Path) -> list[Path]:
    """The folders that are named by an identity. Folders of version 0.4.0 look like any other folder."""
    if not artifacts.is_dir():
        return []
    return [folder for folder in artifacts.iterdir() if has_unique_part(folder.name) and folder.is_dir()]
