"""The command line, with all commands in the usual order of use."""

import sys
from typing import Annotated

import typer

from nlb_search.search.cli import prediction, recordings, results, search, status, storage, studies, trials
from nlb_search.search.cli.terminal import configure_logging, exit_code_of

app = typer.Typer(
    help="Hyperparameter search for models of neural population activity, scored as the Neural Latents Benchmark does.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

for command in (
    recordings.fetch,
    recordings.synthesize,
    recordings.inspect,
    search.launch,
    search.worker,
    search.resume,
    search.pause,
    search.stop,
    trials.enqueue,
    status.status,
    status.studies,
    status.dashboard,
    results.rescore,
    results.export_best,
    prediction.predict,
    results.evaluate,
    status.plot,
    storage.copy,
    studies.rename,
    studies.delete,
    studies.prune_checkpoints,
):
    app.command()(command)


@app.callback()
def common(debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False) -> None:
    """Set up logging for every command."""
    configure_logging(debug)


def main() -> None:
    """Run the command line and exit with its exit code."""
    sys.exit(exit_code_of(lambda: app(standalone_mode=False)))
