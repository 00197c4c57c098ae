"""The commands about recordings: synthesize and inspect."""

from pathlib import Path
from typing import Annotated

import typer

from data.datasets import DATASETS
from search import options
from search.terminal import OUTPUT, print_json


def synthesize(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help=f"One of {', '.join(DATASETS)}.")],
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another recording.")] = 0,
    trials: Annotated[int | None, typer.Option(show_default="as the real one", help="Trials of all splits.")] = None,
    neurons: Annotated[int | None, typer.Option(show_default="as the real one", help="Held-in and held-out.")] = None,
    binary: Annotated[
        bool, typer.Option("--binary", help="At most one spike per 5 ms bin, as chains that end in Sigmoid need.")
    ] = False,
    data: options.Data = options.DATA,
) -> None:
    """Write a synthetic recording in the layout that DANDI serves, its true rates and ceiling beside it."""
    from data.synthesis import SynthesisOptions
    from data.synthesis import synthesize as write

    folder = write(dataset, data, SynthesisOptions(seed=seed, n_trials=trials, n_neurons=neurons, binary=binary))
    typer.echo(f"wrote {folder}")


def inspect(
    dataset: Annotated[str, typer.Option(help=f"One of {', '.join(DATASETS)}.")],
    out: Annotated[
        Path | None, typer.Option(show_default="no page", help="The folder to write a page with pictures to.")
    ] = None,
    as_json: options.Json = False,
    bin_size: Annotated[int, typer.Option(help="Bins of 5 or 20 ms.")] = 5,
    data: options.Data = options.DATA,
) -> None:
    """Say what a recording holds, and what in it to look at before it is searched."""
    from data.inspection import inspection_of
    from data.opening import open_recording
    from data.survey import survey_of
    from search.inspection_page import write_page
    from search.inspection_report import heads_of, report
    from search.worries import worries

    survey = survey_of(open_recording(dataset, data, bin_size))
    found = inspection_of(survey)
    page = None if out is None else write_page(survey, found, out)
    if as_json:
        print_json(found.as_json() | {"heads": heads_of(found), "worries": worries(found)})
        return
    OUTPUT.print(report(found))
    for line in [f"! {worry}" for worry in worries(found)] or ["nothing to worry about was found"]:
        typer.echo(line)
    typer.echo("--out DIR writes a page with pictures" if page is None else f"wrote {page}")
