"""The command that adds trials to a study: enqueue."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nlb_search.search.cli import options
from nlb_search.search.errors import UsageError

if TYPE_CHECKING:
    from nlb_search.search.study.open_study import OpenStudy


def enqueue(
    study: options.StudyName,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Setting of the trial. Repeat for more settings; the sampler suggests the others.",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv|FILE.json",
            help="Settings of several trials: CSV rows with a header, or a list of JSON objects.",
        ),
    ] = None,
    other: Annotated[
        str | None,
        typer.Option("--from", metavar="STUDY", help="Study in the same storage whose best settings are enqueued."),
    ] = None,
    best: Annotated[
        int | None, typer.Option(min=1, show_default="5", help="With --from: number of best trials.")
    ] = None,
    storage: options.Storage = options.STORAGE,
) -> None:
    """Add trials with settings of your choice to a study. Its workers run them next."""
    from nlb_search.search.study.enqueued_trials import budget_for_waiting
    from nlb_search.search.study.enqueued_trials import enqueue as add
    from nlb_search.search.study.open_study import open_named_study

    if sum(source is not None for source in (settings, file, other)) != 1:
        raise UsageError("pass the settings with one of --set, --file and --from")
    if best is not None and other is None:
        raise UsageError("--best needs --from, the study to take the trials from")
    open_study = open_named_study(options.locations(storage, options.DATA), study)
    trials = _parameters(open_study, settings, file, other, best or 5)
    add(open_study, trials)
    typer.echo(f"enqueued {len(trials)} trial{'s' if len(trials) > 1 else ''} in '{study}'")
    needed = budget_for_waiting(open_study)
    if needed is not None:
        typer.echo(
            f"the budget of {open_study.budget} trials is too small for all waiting trials: "
            f"to run them, use `nlb-search resume {study} --trials {needed}`"
        )


def _parameters(
    open_study: "OpenStudy", settings: list[str] | None, file: Path | None, other: str | None, best: int
) -> list[dict[str, Any]]:
    """The parameters of the trials to enqueue. Raises UsageError if they are not valid."""
    from nlb_search.search.study.enqueued_trials import checked_parameters, parameters_from
    from nlb_search.search.study.open_study import open_named_study
    from nlb_search.search.trials.trial_files import read_trials

    if other is not None:
        return parameters_from(open_study, open_named_study(open_study.locations, other), best)
    if file is None:
        return [checked_parameters(open_study.spec, _pairs(settings or []))]
    found = []
    for number, trial in enumerate(read_trials(file), start=1):
        try:
            found.append(checked_parameters(open_study.spec, trial))
        except UsageError as error:
            raise UsageError(f"trial {number} in {file}: {error}") from error
    return found


def _pairs(settings: list[str]) -> dict[str, str]:
    """The values of --set by name. Raises UsageError unless each is NAME=VALUE, with each name once."""
    found: dict[str, str] = {}
    for text in settings:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name or not value:
            raise UsageError(f"--set {text}: pass NAME=VALUE, such as lr=0.01")
        if name in found:
            raise UsageError(f"--set {name} is given twice: enqueue two trials with two commands, or with --file")
        found[name] = value
    return found
