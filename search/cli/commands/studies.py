"""Commands for whole studies: rename, delete and prune-checkpoints."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from nlb_search.search.cli import options
from nlb_search.search.cli.terminal import FAILED
from nlb_search.search.errors import UsageError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

    from nlb_search.search.study.open_study import Locations
    from nlb_search.storage.studies import StoredStudy


def rename(
    study: options.StudyName,
    new: Annotated[str, typer.Argument(metavar="NEW", help="New name of the study.")],
    storage: options.Storage = options.STORAGE,
) -> None:
    """Rename a study. Its checkpoints stay where they are."""
    from nlb_search.storage.study_changes import rename_study

    locations = options.locations(storage, options.DATA)
    database, stored = _stored(locations, study)
    rename_study(locations.url, database, stored, new)
    typer.echo(f"renamed '{study}' to '{new}'")


def delete(
    study: options.StudyName,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    storage: options.Storage = options.STORAGE,
    artifacts: options.Artifacts = None,
) -> None:
    """Delete a study with all its trials and checkpoints."""
    from nlb_search.storage.checkpoints import study_folder
    from nlb_search.storage.study_changes import delete_study

    locations = options.locations(storage, options.DATA, artifacts)
    database, stored = _stored(locations, study)
    folder = study_folder(locations.artifacts, stored.identity)
    checkpoints = f"its checkpoints in {folder}" if folder.exists() else f"no checkpoints, because {folder} is missing"
    n_trials = len(stored.study.get_trials(deepcopy=False))
    if not yes and not _confirmed(f"delete the study '{study}' with {n_trials} trials, and {checkpoints}?"):
        typer.echo("nothing was deleted")
        raise typer.Exit(FAILED)
    kept = delete_study(locations.url, database, stored, locations.artifacts)
    typer.echo(f"deleted '{study}'")
    if kept is not None:
        typer.echo(f"{kept} was kept: another study of this name may use it")


def prune_checkpoints(
    study: options.StudyName,
    keep: Annotated[int, typer.Option(min=1, metavar="K", help="Number of best trials of each chain to keep.")],
    storage: options.Storage = options.STORAGE,
    artifacts: options.Artifacts = None,
) -> None:
    """Remove the networks of all trials except the best and those tied with the best. Trials and scores are kept."""
    from nlb_search.search.networks.network_removal import remove_networks_except_best
    from nlb_search.search.study.open_study import open_named_study

    removal = remove_networks_except_best(
        open_named_study(options.locations(storage, options.DATA, artifacts), study), keep
    )
    removed, kept = len(removal.removed), len(removal.kept)
    typer.echo(f"removed the networks of {removed} of {removed + kept} trials ({removal.size / 1e6:.1f} MB)")


def _stored(locations: "Locations", study: str) -> "tuple[BaseStorage, StoredStudy]":
    from nlb_search.search.study.open_study import existing_database
    from nlb_search.storage.studies import open_study

    database = existing_database(locations.url)
    return database, open_study(database, study)


def _confirmed(question: str) -> bool:
    """Ask on the terminal. Raises UsageError if there is none."""
    if not sys.stdin.isatty():
        raise UsageError("cannot ask for confirmation without a terminal: pass --yes to delete without asking")
    try:
        return typer.confirm(question)
    except typer.Abort:
        return False
