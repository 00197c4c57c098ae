"""Commands for storages: copy."""

from pathlib import Path
from typing import Annotated

import typer

from nlb_search.search.cli import options
from nlb_search.search.cli.terminal import MESSAGES


def copy(
    study: options.StudyName,
    to: Annotated[
        str,
        typer.Option(
            envvar="NLB_SEARCH_TO", show_envvar=True, help="Storage to copy to, in the same form as --storage."
        ),
    ],
    to_artifacts: Annotated[
        Path | None,
        typer.Option(
            envvar="NLB_SEARCH_TO_ARTIFACTS",
            show_default="next to a SQLite file, otherwise ./nlb-search.artifacts",
            help="Folder for the checkpoints of the copy.",
        ),
    ] = None,
    storage: options.Storage = options.STORAGE,
    artifacts: options.Artifacts = None,
) -> None:
    """Copy a study and its checkpoints to another storage. The original is not changed."""
    from rich.progress import Progress

    from nlb_search.search.study.open_study import existing_database
    from nlb_search.storage.checkpoints import default_artifacts
    from nlb_search.storage.database.urls import parse_url
    from nlb_search.storage.study_copying import StudyLocation, copy_study

    locations, new_url = options.locations(storage, options.DATA, artifacts), parse_url(to)
    target = StudyLocation(new_url, (to_artifacts or default_artifacts(new_url)).absolute())
    existing_database(locations.url)
    with Progress(console=MESSAGES, transient=True, disable=not MESSAGES.is_terminal) as show:
        bar = show.add_task("")
        for copied in copy_study(study, StudyLocation(locations.url, locations.artifacts), target):
            show.update(bar, description=copied.what, completed=copied.done, total=copied.total)
    typer.echo(f"copied {study} to {target.url}, and its checkpoints to {target.artifacts}")
    typer.echo(
        f"the original is still in {locations.url}: run workers on only one of the two studies, and delete the other"
    )
