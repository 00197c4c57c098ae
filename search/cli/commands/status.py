"""Commands that show studies: status, studies, dashboard, plot and report."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nlb_search.search.cli import options
from nlb_search.search.cli.terminal import MESSAGES, OUTPUT, print_json, print_line, working
from nlb_search.search.errors import SearchError, UsageError
from nlb_search.storage.errors import StorageError

if TYPE_CHECKING:
    from nlb_search.search.networks.ties import Ties
    from nlb_search.search.study.open_study import OpenStudy
    from nlb_search.search.study.status import StudyStatus

WATCH_SECONDS = 2.0
INDENT = 2
"""Indentation of a study's line where a terminal breaks it."""


def status(
    study: options.StudyName,
    as_json: options.Json = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Update the display until the budget is met. Ctrl-C exits.")
    ] = False,
    storage: options.Storage = options.STORAGE,
    artifacts: options.Artifacts = None,
) -> None:
    """Show the status of a study, its best trial, the trials statistically tied with it, and its Pareto front."""
    from nlb_search.search.networks.ties import find_ties
    from nlb_search.search.study.open_study import open_named_study
    from nlb_search.search.study.status import study_status

    if watch and as_json:
        raise UsageError("--watch and --json cannot be combined: remove one of them")
    open_study = open_named_study(options.locations(storage, options.DATA, artifacts), study)
    if watch:
        _watch(open_study)
    status, ties = study_status(open_study), find_ties(open_study)
    if as_json:
        print_json(status.as_json() | {"ties": ties.numbers})
    else:
        print_status(status, ties)


def _watch(open_study: "OpenStudy") -> None:
    """Show the progress of a study until its budget is met."""
    from nlb_search.search.launching.progress import display_for
    from nlb_search.search.study.status import study_status

    with display_for(MESSAGES) as show:
        while True:
            now = study_status(open_study)
            show.update(now)
            if now.is_finished:
                return
            time.sleep(WATCH_SECONDS)


def studies(storage: options.Storage = options.STORAGE) -> None:
    """List the studies of a storage."""
    from nlb_search.search.launching.progress import headline
    from nlb_search.search.study.open_study import existing_database, open_named_study
    from nlb_search.search.study.status import study_status
    from nlb_search.storage.studies import study_names

    locations = options.locations(storage, options.DATA)
    for name in study_names(existing_database(locations.url)):
        try:
            print_line(headline(study_status(open_named_study(locations, name))), INDENT)
        except (StorageError, SearchError) as error:
            print_line(f"{name}: {error}", INDENT)


def dashboard(
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8080,
    host: Annotated[
        str, typer.Option(help="Address to listen on. The dashboard has no login, so do not expose it to a network.")
    ] = "127.0.0.1",
    public_host: Annotated[
        str | None, typer.Option(metavar="NAME", help="Host name of a proxy in front of the dashboard.")
    ] = None,
    writable: Annotated[
        bool, typer.Option("--writable", help="Allow anyone who can open the dashboard to change and delete studies.")
    ] = False,
    storage: options.Storage = options.STORAGE,
    artifacts: options.Artifacts = None,
) -> None:
    """Open optuna-dashboard on a storage, read-only unless --writable is given."""
    from nlb_search.search.dashboard.readable_studies import ReadableStudies
    from nlb_search.search.dashboard.server import make_server, serve
    from nlb_search.search.study.open_study import check_exists
    from nlb_search.storage.database.opening import open_for_editing, open_for_reading

    locations = options.locations(storage, options.DATA, artifacts)
    check_exists(locations.url)
    open_database = open_for_editing if writable else open_for_reading
    database = open_database(locations.url, ReadableStudies)
    names = frozenset(name.lower() for name in ("localhost", host, public_host) if name)
    serve(make_server(database, locations.artifacts, host, port, names, writable))


def plot(
    study: options.StudyName,
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    formats: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="html,png,svg",
            help="One or more formats, separated by commas: pages (html) or images for papers.",
        ),
    ] = "html",
    storage: options.Storage = options.STORAGE,
    data: options.StudyData = None,
    artifacts: options.Artifacts = None,
) -> None:
    """Write the figures of a study as pages or images."""
    from nlb_search.search.figures.figure_files import formats_named, write_figures
    from nlb_search.search.study.open_study import open_named_study

    wanted = formats_named(formats)
    with working("drawing figures"):
        paths = write_figures(open_named_study(options.locations(storage, data, artifacts), study), out, wanted)
    for path in paths:
        typer.echo(f"wrote {path}")


def report(
    study: options.StudyName,
    out: Annotated[Path, typer.Option(help="HTML file to write, such as report.html.")],
    storage: options.Storage = options.STORAGE,
    data: options.StudyData = None,
    artifacts: options.Artifacts = None,
) -> None:
    """Write a report of a study as one page: the search, its results, and how to reproduce them."""
    from nlb_search.search.figures.report.report_page import write_report
    from nlb_search.search.study.open_study import open_named_study

    with working("writing the report"):
        write_report(open_named_study(options.locations(storage, data, artifacts), study), out)
    typer.echo(f"wrote {out}")


def print_status(status: "StudyStatus", ties: "Ties") -> None:
    """Print the status of a study as text."""
    from nlb_search.search.figures.study_table import report
    from nlb_search.search.launching.pareto_table import pareto_table
    from nlb_search.search.launching.progress import headline

    print_line(headline(status), INDENT)
    OUTPUT.print(report(status, ties))
    if status.spec.has_own_objectives and status.front:
        OUTPUT.print(pareto_table(status))
