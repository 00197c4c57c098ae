"""Creating and running studies from Python."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nlb_search.search.charts.plotly_drawing import draw
from nlb_search.search.creation.study_creation import StudyRequest, create_or_open, raise_budgets
from nlb_search.search.default_locations import STORAGE, STORAGE_VARIABLE
from nlb_search.search.ensembles.refit import refit_options
from nlb_search.search.ensembles.refit_progress import LoggedProgress
from nlb_search.search.ensembles.trial_selection import selection_of
from nlb_search.search.errors import SearchError, UsageError
from nlb_search.search.export_options import AUTO, Phases, RankingCriterion
from nlb_search.search.exported_models.model_files import ModelFiles
from nlb_search.search.figures.figure_files import all_charts, formats_named, write_figures
from nlb_search.search.launching.launcher import run_workers
from nlb_search.search.launching.progress import headline
from nlb_search.search.launching.slots import chosen_gpus, make_slots
from nlb_search.search.objectives import objectives_named
from nlb_search.search.python_interface.arguments import check_at_least, check_choice
from nlb_search.search.python_interface.notebook_progress import progress_display
from nlb_search.search.python_interface.recordings import OpenedRecording
from nlb_search.search.python_interface.trials_table import trials_table
from nlb_search.search.sampling.sampling_settings import PrunerName, SamplerName
from nlb_search.search.sampling.spaces.space_file import named_space
from nlb_search.search.study.open_study import OpenStudy, locations_of, open_named_study
from nlb_search.search.study.recording_location import remember_location
from nlb_search.search.study.status import BestTrial, StudyStatus, study_status
from nlb_search.search.submission.export import export_best, phases_of, submission_files
from nlb_search.search.workers.shutdown import Stop
from nlb_search.storage.study_commands import StudyCommand, send_command

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


@dataclass(frozen=True, repr=False)
class Study:
    """A study in its storage. Workers on any machine may run its trials at the same time, so every method reads the
    current state.
    """

    _open: OpenStudy

    @property
    def name(self) -> str:
        return self._open.name

    def __repr__(self) -> str:
        return headline(self.status())

    def status(self) -> StudyStatus:
        """A snapshot: the budget, the number of trials by state, the best trial, running trials and failures."""
        return study_status(self._open)

    @property
    def best(self) -> BestTrial | None:
        """The complete trial with the highest co-bps on val, or None if no trial is complete."""
        return self.status().best

    def run(
        self,
        trials: int | None = None,
        *,
        workers: int | None = None,
        gpus: str = "all",
        side_by_side: int | None = None,
        hours: float | None = None,
    ) -> None:
        """Run trials in worker processes on this machine until the budget is met, and show the progress.

        ``trials`` is a new budget, the total number of trials to finish. ``workers`` is the number of processes, by
        default one per GPU, or per core without one; ``gpus`` is ``all``, ``none`` or numbers such as ``0,1``. Each
        worker trains ``side_by_side`` trials in one computation, by default 1 on a CPU and up to 32 on a GPU. The run
        ends early after ``hours``. An interrupt (Ctrl-C, or the stop button of a notebook) saves the running trials and
        raises KeyboardInterrupt. In all cases, calling ``run`` again continues the study.

        Raises UsageError if a GPU or budget is not possible, and SearchError if the recording has changed or all
        workers fail.
        """
        check_at_least(1, trials=trials, workers=workers, side_by_side=side_by_side)
        check_at_least(0, hours=hours)
        slots = make_slots(chosen_gpus(gpus), 1, workers, side_by_side)
        self._open.recording()  # report errors once, before workers start
        remember_location(self._open.study, self._open.locations.data)
        if trials is not None:
            self._open.change_budget(trials)
        send_command(self._open.study, StudyCommand.WORK)
        with progress_display() as show:
            run_workers(self._open, slots, Stop(), hours, show)

    def trials(self) -> "pd.DataFrame":
        """All trials as a DataFrame with one row for each: state, architecture, scores on val, seconds and settings."""
        return trials_table(self._open)

    def figures(self) -> dict[str, "go.Figure"]:
        """The figures of the study by name, such as ``history``. A notebook shows a figure that is the value of a cell.

        Raises SearchError if the study has no finished trial.
        """
        return {chart.name: draw(chart) for chart in all_charts(self._open)}

    def save_figures(self, folder: Path | str, formats: str = "html") -> list[Path]:
        """Write all figures to a folder: as pages (``html``), as images for papers (``png``, ``svg``), or ``html,png``.

        Returns the paths. Raises UsageError if a format is unknown, and SearchError if the study has no finished trial
        or the folder cannot be written.
        """
        return write_figures(self._open, Path(folder), formats_named(formats))

    def export(
        self,
        out: Path | str | None = None,
        *,
        model: Path | str | None = None,
        onnx: Path | str | None = None,
        phase: Phases = "val",
        trial: int | None = None,
        ensemble: int | Literal["auto"] | None = None,
        by: RankingCriterion = "val",
        seeds: int | None = None,
        workers: int | None = None,
    ) -> list[Path]:
        """Write the best trial or an ensemble: as a submission file ``out``, a folder ``model``, or an ONNX file.

        For phase ``test``, the networks are retrained on train + val, ``seeds`` times each (by default 3), in
        ``workers`` processes; ``both`` writes two submission files. ``trial`` is the number of a trial to export
        instead of the best; ``ensemble`` is the number of best trials to average, or ``auto``, the default of phase
        ``test``: trials and weights are selected on val. ``by`` says what selects the best trial: the first objective
        on ``val``, the scores of ``rescore`` (``splits``), or another objective of the study. The submission has rates
        in spikes per bin and a card that says how it was made. ``nlb_search.load_model`` loads the folder ``model``.

        In a program, call it for phase ``test`` below ``if __name__ == "__main__":``, because it starts processes.

        Returns the paths. Raises UsageError if options exclude each other, and SearchError if there are too few trials
        or a file cannot be written; nothing is trained before everything is checked.
        """
        check_choice("phase", phase, Phases)
        check_choice("by", by, RankingCriterion)
        check_at_least(1, ensemble=None if ensemble == AUTO else ensemble, seeds=seeds, workers=workers)
        check_at_least(0, trial=trial)
        submission, model_files = _path(out), ModelFiles(_path(model), _path(onnx))
        if {submission, model_files.folder, model_files.onnx} == {None}:
            raise UsageError("nothing to write: give out, model or onnx")
        selection = selection_of(phase, ensemble=ensemble, criterion=by, trial=trial)
        refitting = refit_options(phase, seeds, make_slots(chosen_gpus("all"), 1, workers), Stop(), LoggedProgress())
        export_best([self._open], submission, phase, selection, refitting, model_files)
        files = [] if submission is None else list(submission_files(submission, phases_of(phase)).values())
        return files + [path for path in (model_files.folder, model_files.onnx) if path is not None]


def create_study(
    name: str,
    recording: OpenedRecording,
    architectures: Sequence[str],
    trials: int,
    *,
    storage: str | None = None,
    artifacts: Path | str | None = None,
    space: str | None = None,
    sampler: SamplerName | None = None,
    pruner: PrunerName | None = None,
    objectives: Sequence[str] | None = None,
    epochs: int | None = None,
    until_flat: float | None = None,
    like: str | None = None,
    seed: int | None = None,
) -> Study:
    """Create a study, or open the existing one with this name if it agrees with all arguments.

    ``architectures`` are chains such as ``GRU(2) -> FF -> exp`` or known names such as ``rnnf`` and ``auto``.
    ``trials`` is the budget, the number of trials to finish; a larger number raises that of an existing study.
    ``storage`` is a URL, by default ``$NLB_SEARCH_STORAGE`` or ``sqlite:///nlb-search.db``, and ``artifacts`` the
    checkpoint folder, by default beside it. ``space`` is ``paper``, ``wide`` (the default) or a TOML file
    (docs/spaces.md). ``objectives`` are what the sampler optimizes, such as ``["co-bps", "vel-r2"]``, by default co-bps
    alone; other objectives need the pruner ``none``, their default (docs/comparing.md). ``epochs`` is the maximum
    number of epochs per trial. The search ends before ``trials`` if as many trials again are expected to gain less
    co-bps than ``until_flat``. ``like`` is a study whose best settings are tried first, ``seed`` the random seed.

    Raises UsageError if an argument is not valid, ChainError if a chain cannot be built for the recording, SearchError
    if a study of this name differs, and StorageError if the storage cannot be used. Nothing is written before
    everything is checked.
    """
    check_at_least(1, trials=trials, epochs=epochs)
    check_at_least(0, until_flat=until_flat, seed=seed)
    check_choice("sampler", sampler, SamplerName)
    check_choice("pruner", pruner, PrunerName)
    request = StudyRequest(
        dataset=recording.name,
        architectures=tuple(architectures) or None,
        trials=trials,
        until_flat=until_flat,
        epochs=epochs,
        space=None if space is None else named_space(space),
        sampler=sampler,
        pruner=pruner,
        objectives=None if objectives is None else objectives_named(objectives),
        like=like,
        seed=seed,
        bin_ms=recording.bin_ms,
        recording=recording.settings,
    )
    study = create_or_open(locations_of(_storage(storage), recording.data, _path(artifacts)), name, request)
    if study.spec.content_hash != recording.content_hash:
        raise SearchError(
            f"the study '{name}' was created from {study.spec.dataset} with content {study.spec.content_hash[:12]}, "
            f"and this recording has content {recording.content_hash[:12]}: choose another name for the study"
        )
    raise_budgets(study, trials, None)
    return Study(study)


def load_study(
    name: str,
    *,
    storage: str | None = None,
    data: Path | str | None = None,
    artifacts: Path | str | None = None,
) -> Study:
    """Open an existing study, including one that was created with ``nlb-search launch``.

    ``storage`` and ``artifacts`` are as in ``create_study``. ``data`` is where the recording is, by default where this
    machine last read it.

    Raises StorageError if there is no such study, and SearchError if another version created it and it cannot be read.
    """
    return Study(open_named_study(locations_of(_storage(storage), _path(data), _path(artifacts)), name))


def _storage(storage: str | None) -> str:
    return storage or os.environ.get(STORAGE_VARIABLE) or STORAGE


def _path(path: Path | str | None) -> Path | None:
    return None if path is None else Path(path)
