"""The command that uses a model: predict."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nlb_search.search.cli import options
from nlb_search.search.cli.recording_options import with_recording_options

if TYPE_CHECKING:
    from nlb_search.data.own.recording_settings import RecordingSettings


@with_recording_options
def predict(
    model: Annotated[Path, typer.Argument(metavar="DIR", help="Model that `export-best --model` has written.")],
    out: Annotated[Path, typer.Option(help="HDF5 file of rates to write.")],
    settings: "RecordingSettings | None" = None,
    dataset: Annotated[str | None, typer.Option(show_default="that of the model", help=options.DATASET_HELP)] = None,
    data: options.Data = options.DATA,
) -> None:
    """Predict the rates of new trials of the neurons that a model was trained on.

    The recording is read like the one that the model was trained on, unless --recording or one of its options is given.
    """
    from nlb_search.search.exported_models.model_folder import load_model
    from nlb_search.search.exported_models.new_trials import predict_recording
    from nlb_search.search.workers.devices import training_device

    predict_recording(load_model(model, str(training_device())), data, out, dataset, settings)
    typer.echo(f"wrote {out}")
