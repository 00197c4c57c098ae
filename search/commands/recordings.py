"""The commands about recordings: synthesize."""

from typing import Annotated

import typer

from data.datasets import DATASETS
from search import options


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
