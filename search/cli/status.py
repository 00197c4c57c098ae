"""Commands that show studies: status, studies, dashboard and plot."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nlb_search.search.cli import options
from nlb_search.search.cli.terminal import OUTPUT, print_json
from nlb_search.search.errors import SearchError
from nlb_search.storage.errors import StorageError

if TYPE_CHECKING:
    from nlb_search.search.scoring.ties import Ties
    from nlb_search.search.study.status import StudyStatus


def status(
    study: options.StudyName,
    as_json: options.Json = False,
    storage: options.Storage = options.STORAGE,
    artifacts: options.Artifacts = None,
) -> None:
    """Show the status of a study, its best trial, and the trials statistically tied with it."""
    from nlb_search.search.scoring.ties import find_ties
    from nlb_search.search.study.open_study import open_named_study
    from nlb_search.search.study.status import study_status

    open_study = open_named_study(options.locations(storage, options.DATA, artifacts), study)
    status, ties = study_status(open_study), find_ties(open_study)
    if as_json:
        print_json(status.as_json() | {"ties": ties.numbers})
    else:
        print_status(status, ties)


def studies(storage: options.Storage = options.STORAGE) -> None:
    """List the studies of a storage."""
    from nlb_search.search.launching.progress import headline
    from nlb_search.search.study.open_study import existing_database, open_named_study
    from nlb_search.search.study.status import study_status
    from nlb_search.storage.studies import study_names

    locations = options.locations(storage, options.DATA)
    for name in study_names(existing_database(locations.url)):
        try:
            typer.echo(headline(study_status(open_named_study(locations, name))))
        except (StorageError, SearchError) as error:
            typer.echo(f"{name}: {error}")


def dashboard(
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8080,
    host: Annotated[
        str, typer.Option(help="Address to listen on. The page has no login: keep it on this machine.")
    ] = "127.0.0.1",
    public_host: Annotated[
        str | None, typer.Option(metavar="NAME", help="Host name of a proxy in front of the dashboard.")
    ] = None,
    writable: Annotated[
        bool, typer.Option("--writable", help="Let anyone who can open the page change and delete studies.")
    ] = False,
    storage: options.Storage = options.STORAGE,
    artifacts: options.Artifacts = None,
) -> None:
    """Open optuna-dashboard on a storage, read-only unless --writable is given."""
    from nlb_search.search.dashboard.server import make_server, serve
    from nlb_search.search.study.open_study import check_exists
    from nlb_search.storage.database.opening import open_for_editing, open_for_reading

    locations = options.locations(storage, options.DATA, artifacts)
    check_exists(locations.url)
    database = open_for_editing(locations.url) if writable else open_for_reading(locations.url)
    names = frozenset(name.lower() for name in ("localhost", host, public_host) if name)
    serve(make_server(database, locations.artifacts, host, port, names, writable))


def plot(
    study: options.StudyName,
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    storage: options.Storage = options.STORAGE,
    artifacts: options.Artifacts = None,
) -> None:
    """Write the figures of a study as HTML pages."""
    from nlb_search.search.figures.study_figures import write_figures
    from nlb_search.search.study.open_study import open_named_study

    for path in write_figures(open_named_study(options.locations(storage, options.DATA, artifacts), study), out):
        typer.echo(f"wrote {path}")


def print_status(status: "StudyStatus", ties: "Ties") -> None:
    """Print the status of a study as text."""
    from nlb_search.search.figures.study_table import report
    from nlb_search.search.launching.progress import headline

    typer.echo(headline(status))
    OUTPUT.print(report(status, ties))
