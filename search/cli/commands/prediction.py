"""The command that uses a model: predict."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nlb_search.search.cli import options
from nlb_search.search.cli.recording_options import with_recording_options
from nlb_search.search.cli.terminal import MESSAGES, working
from nlb_search.search.errors import UsageError

if TYPE_CHECKING:
    from nlb_search.data.own.recording_settings import RecordingSettings
    from nlb_search.search.exported_models.model import Model


@with_recording_options
def predict(
    model: Annotated[Path, typer.Argument(metavar="DIR", help="Model written by `export-best --model`.")],
    out: Annotated[
        Path | None, typer.Option(help="HDF5 file of rates to write.", show_default="required without --stream")
    ] = None,
    stream: Annotated[
        bool,
        typer.Option(
            "--stream",
            help="Predict bin by bin: for each line of held-in counts on standard input, write a line of rates. An "
            "empty line starts a new trial.",
        ),
    ] = False,
    settings: "RecordingSettings | None" = None,
    dataset: Annotated[str | None, typer.Option(show_default="that of the model", help=options.DATASET_HELP)] = None,
    data: options.Data = options.DATA,
) -> None:
    """Predict the rates of new trials, for the neurons that a model was trained on.

    The recording is read like the one that the model was trained on, unless --recording or one of its options is given.
    """
    from nlb_search.search.exported_models.model_folder import load_model
    from nlb_search.search.exported_models.new_trials import predict_recording
    from nlb_search.search.workers.devices import training_device

    if stream:
        if (out, dataset, settings) != (None, None, None):
            raise UsageError("--stream uses no recording and no output file: remove --out, --dataset and --recording")
        _predict_lines(load_model(model, str(training_device())))
        return
    if out is None:
        raise UsageError("nothing to write: pass --out FILE.h5, or --stream to predict bin by bin")
    with working(f"predicting {out}"):
        predict_recording(load_model(model, str(training_device())), data, out, dataset, settings)
    typer.echo(f"wrote {out}")


def _predict_lines(model: "Model") -> None:
    """Answer each line of standard input at once, until it ends."""
    from nlb_search.search.exported_models.line_stream import rates_of_lines

    lines = rates_of_lines(model, sys.stdin)
    expected = f"{model.sizes.n_heldin} held-in neurons in a bin of {model.card.bin_ms} ms"
    MESSAGES.print(f"ready: give lines with the counts of {expected}", soft_wrap=True, highlight=False)
    for line in lines:
        print(line, flush=True)
