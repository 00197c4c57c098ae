"""The command line, with all commands in the usual order of use."""

import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated

import typer

from nlb_search.search.cli.commands import (
    doctor,
    prediction,
    recordings,
    results,
    search,
    status,
    storage,
    studies,
    trials,
)
from nlb_search.search.cli.terminal import configure_logging, exit_code_of

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
)

EXAMPLES: dict[Callable[..., None], str] = {
    recordings.fetch: "nlb-search fetch mc_maze_small --targets",
    recordings.synthesize: "nlb-search synthesize mc_rtt --seed 0",
    recordings.inspect: "nlb-search inspect --dataset mc_maze_small --out inspection",
    search.launch: "nlb-search launch maze --dataset mc_maze_small --arch rnnf --trials 120",
    search.worker: "nlb-search worker maze --storage postgresql://lab@db.example/studies",
    search.resume: "nlb-search resume maze --trials 200",
    trials.enqueue: "nlb-search enqueue maze --set lr=0.01 --set hidden=64",
    search.pause: "nlb-search pause maze",
    search.stop: "nlb-search stop maze --finish",
    status.status: "nlb-search status maze --watch",
    status.studies: "nlb-search studies --storage sqlite:///nlb-search.db",
    status.dashboard: "nlb-search dashboard --port 8080",
    results.rescore: "nlb-search rescore maze --finalists 5",
    results.export_best: "nlb-search export-best maze --phase test --out submission.h5",
    prediction.predict: "nlb-search predict rat-model --data next-session.nwb --out rates.h5",
    results.evaluate: "nlb-search evaluate submission.h5 --dataset mc_maze_small",
    status.plot: "nlb-search plot maze --out figures --format html,svg",
    status.report: "nlb-search report maze --out report.html",
    storage.copy: "nlb-search copy maze --to postgresql://lab@db.example/studies",
    studies.rename: "nlb-search rename maze maze-2026",
    studies.delete: "nlb-search delete maze",
    studies.prune_checkpoints: "nlb-search prune-checkpoints maze --keep 20",
    doctor.doctor: "nlb-search doctor maze",
}
"""All commands, each with the example that its help ends with."""

for command, example in EXAMPLES.items():
    app.command(epilog=f"Example: {example}")(command)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"nlb-search {version('nlb-search')}")
        raise typer.Exit


@app.callback(epilog="Example: nlb-search launch maze --dataset mc_maze_small --arch rnnf --trials 120")
def common(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Hyperparameter search for models of neural population activity, scored as in the Neural Latents Benchmark."""
    configure_logging(debug)


def main() -> None:
    """Run the command line and exit with its exit code."""
    sys.exit(exit_code_of(lambda: app(standalone_mode=False)))
