"""Commands for recordings: fetch, inspect and synthesize."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nlb_search.data.dataset_files import PUBLIC_TARGETS
from nlb_search.data.datasets import DATASETS, dataset_named
from nlb_search.search.cli import options
from nlb_search.search.cli.recording_options import with_recording_options
from nlb_search.search.cli.terminal import MESSAGES, OUTPUT, print_json, working
from nlb_search.search.errors import SearchError, UsageError

if TYPE_CHECKING:
    from nlb_search.data.own.recording_settings import RecordingSettings

DANDI_URL = "https://api.dandiarchive.org/api"


def fetch(
    datasets: Annotated[
        list[str] | None, typer.Argument(metavar="DATASET", help=f"One or more of {', '.join(DATASETS)}.")
    ] = None,
    targets: Annotated[
        bool, typer.Option("--targets", help="Also fetch the benchmark's public test targets, used by `evaluate`.")
    ] = False,
    targets_url: Annotated[
        str | None, typer.Option(show_default="nlb_tools' repository", help="Address of the test targets.")
    ] = None,
    dandi_url: Annotated[
        str,
        typer.Option("--dandi-url", envvar="NLB_SEARCH_DANDI_URL", show_envvar=True, help="Address of DANDI's API."),
    ] = DANDI_URL,
    data: options.Data = options.DATA,
) -> None:
    """Download datasets from DANDI. Files are verified, and interrupted downloads are resumed."""
    from nlb_search.search.cli.download_progress import show

    try:
        from nlb_search.data.dandi.archive import DandiArchive
        from nlb_search.data.dandi.fetching import fetch as download
        from nlb_search.data.dandi.provenance import read_record
        from nlb_search.data.dandi.public_targets import URL, fetch_targets
    except ImportError as error:
        raise SearchError(
            "fetch needs DANDI's client, which is not installed: `pip install 'nlb-search[fetch]'`"
        ) from error
    wanted = [dataset_named(name) for name in datasets or ()]
    with_targets = targets or targets_url is not None
    if not wanted and not with_targets:
        raise UsageError(f"nothing to fetch: pass one of {', '.join(DATASETS)}, or --targets")
    archive = DandiArchive(dandi_url)
    for dataset in wanted:
        show(download(dataset, data, archive), MESSAGES)
        folder = data / dataset.dandi_id
        record = read_record(folder)
        assert record is not None
        typer.echo(
            f"{dataset.name}: {len(record.files)} files in {folder}, each with the SHA-256 of DANDI:{record.dandiset}, "
            f"version {record.version}"
        )
    if with_targets:
        show(fetch_targets(targets_url or URL, data, [dataset.name for dataset in wanted]), MESSAGES)
        typer.echo(f"test targets: {data / PUBLIC_TARGETS}")


def synthesize(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help=f"One of {', '.join(DATASETS)}.")],
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    trials: Annotated[
        int | None,
        typer.Option(show_default="as in the real recording", help="Number of trials in all splits together."),
    ] = None,
    neurons: Annotated[
        int | None,
        typer.Option(show_default="as in the real recording", help="Number of neurons, held-in and held-out."),
    ] = None,
    binary: Annotated[
        bool, typer.Option("--binary", help="At most one spike per 5 ms bin, for chains that end in Sigmoid.")
    ] = False,
    data: options.Data = options.DATA,
) -> None:
    """Write a synthetic recording in DANDI's layout, with its true rates and its ceiling in a separate file."""
    from nlb_search.data.synthesis import SynthesisOptions
    from nlb_search.data.synthesis import synthesize as write

    with working(f"synthesizing {dataset}"):
        folder = write(dataset, data, SynthesisOptions(seed=seed, n_trials=trials, n_neurons=neurons, binary=binary))
    typer.echo(f"wrote {folder}")


@with_recording_options
def inspect(
    dataset: Annotated[str, typer.Option(help=options.DATASET_HELP)],
    out: Annotated[Path | None, typer.Option(show_default="no page", help="Folder for a page with figures.")] = None,
    as_json: options.Json = False,
    bin_size: options.BinSize = None,
    settings: "RecordingSettings | None" = None,
    write_recording: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.toml",
            show_default="no file",
            help="Write the settings that were used to a file for --recording.",
        ),
    ] = None,
    data: options.Data = options.DATA,
) -> None:
    """Show the contents of a recording, and possible problems to check before a search."""
    from nlb_search.data.inspection.decided_settings import decided_settings
    from nlb_search.data.inspection.identities import identities_of
    from nlb_search.data.inspection.inspection import inspection_of
    from nlb_search.data.inspection.spike_intervals import read_intervals
    from nlb_search.data.inspection.survey import survey_of
    from nlb_search.data.opening import file_with_spike_times, open_recording
    from nlb_search.data.own.recording_settings import RecordingSettings
    from nlb_search.search.figures.inspection.inspection_warnings import inspection_warnings
    from nlb_search.search.scoring.negative_scores import negative_score_warning
    from nlb_search.storage.atomic_files import atomic_file

    if write_recording is not None:
        _check_new(write_recording, dataset)
    with working(f"reading {dataset}"):
        opened = open_recording(dataset, data, bin_size or 5, settings=settings)

    # These import torch and scikit-learn, which takes seconds. Errors of the recording are reported earlier.
    from nlb_search.search.figures.inspection.inspection_page import write_page
    from nlb_search.search.figures.inspection.inspection_table import heads_of, report
    from nlb_search.search.scoring.smoothing_score import is_quick, smoothing_co_bps

    survey = survey_of(opened)
    identities = identities_of(opened, data, settings)
    found = inspection_of(
        survey,
        intervals=read_intervals(file_with_spike_times(dataset, data), settings or RecordingSettings()),
        identities=identities,
    )
    if write_recording is not None:
        text = decided_settings(opened, data, settings or RecordingSettings(), identities)
        with atomic_file(write_recording) as part:
            part.write_text(text, encoding="utf-8")
    page = None if out is None else write_page(survey, found, out)
    baseline = smoothing_co_bps(opened) if is_quick(opened) else math.nan
    problems = inspection_warnings(found)
    if negative_score_warning(baseline) is not None:
        problems.append(
            f"the smoothing baseline has a co-bps of {baseline:.4f} on val: it predicts worse than each neuron's mean "
            "rate, and so may a model; check the windows, and whether rates differ between train and val"
        )
    if as_json:
        known = None if math.isnan(baseline) else baseline
        print_json(found.as_json() | {"heads": heads_of(found), "smoothing_co_bps": known, "warnings": problems})
        return
    OUTPUT.print(report(found))
    if not math.isnan(baseline):
        typer.echo(f"smoothing baseline: co-bps {baseline:.4f} on val; a search should exceed it")
    if opened.choices:
        typer.echo(f"defaults used: {'; '.join(opened.choices)}")
    for line in [f"! {problem}" for problem in problems] or ["no problems found"]:
        typer.echo(line)
    if write_recording is not None:
        typer.echo(f"wrote {write_recording}: edit it, and pass it with --recording")
    typer.echo("use --out DIR to write a page with figures" if page is None else f"wrote {page}")


def _check_new(file: Path, dataset: str) -> None:
    """Raise UsageError if settings cannot be written to ``file``, or if the recording has none."""
    if dataset in DATASETS:
        raise UsageError(f"--write-recording is for your own recording: {dataset} has a fixed window and splits")
    if file.exists():
        raise UsageError(f"{file} exists and is not overwritten: name another file with --write-recording")
    if not file.absolute().parent.is_dir():
        raise UsageError(f"the folder of {file} does not exist: create it, or name another file with --write-recording")
