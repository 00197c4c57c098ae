"""The report of a study: one page to send to a colleague, which needs no network and no scripts."""

import base64
import html
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from optuna.trial import TrialState

from nlb_search.data.errors import DataError
from nlb_search.models.scoring.bits_per_spike import bits_per_spike
from nlb_search.models.scoring.smoothing_baseline import smoothed_rates
from nlb_search.search.charts.matplotlib_drawing import draw
from nlb_search.search.errors import SearchError
from nlb_search.search.figures.figure_files import all_charts
from nlb_search.search.recording_tensors import counts_of
from nlb_search.search.sampling.ranges import settings_of_parameters
from nlb_search.search.scoring.bootstrap import SHARE
from nlb_search.search.scoring.metric_names import metrics_as_text
from nlb_search.search.scoring.ties import find_ties
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.status import StudyStatus, study_status
from nlb_search.storage.atomic_files import whole_file

_STYLE = """
body { font: 15px/1.5 "Open Sans", "Segoe UI", Helvetica, Arial, sans-serif; color: #24292f; max-width: 800px;
       margin: 32px auto; padding: 0 20px }
h1 { font-size: 25px; margin-bottom: 4px } h2 { font-size: 18px; margin: 30px 0 8px }
table { border-collapse: collapse } th { text-align: left; font-weight: 400; color: #57606a; white-space: nowrap }
th, td { padding: 2px 18px 2px 0; vertical-align: top } img { width: 100%; margin: 10px 0; break-inside: avoid }
pre { background: #f4f5f6; padding: 10px 14px; white-space: pre-wrap } .small { color: #57606a; font-size: 13px }
"""

Rows = list[tuple[str, str]]


@dataclass(frozen=True)
class _Baseline:
    """co-bps of the smoothing baseline on val, or why it is not known."""

    co_bps: float | None
    reason: str = ""


def write_report(study: OpenStudy, out: Path) -> None:
    """Write the report to the file ``out``. Raises SearchError without a finished trial or if it cannot be written."""
    if out.is_dir() or not out.parent.is_dir():
        raise SearchError(f"cannot write {out}: name a file in an existing folder, like report.html, with --out")
    page = _page(study)
    try:
        with whole_file(out) as part:
            part.write_text(page, encoding="utf-8")
    except OSError as error:
        raise SearchError(f"cannot write {out}: {error.strerror or error}") from error


def _page(study: OpenStudy) -> str:
    charts, status = all_charts(study), study_status(study)
    images = "".join(
        f"<img alt='{html.escape(chart.title, quote=True)}' "
        f"src='data:image/svg+xml;base64,{base64.b64encode(draw(chart, 'svg')).decode()}'>"
        for chart in charts
    )
    sections = {
        "What was searched": _table(_searched(status)),
        "What was found": _table(_found(study, status)),
        "Compared with": _table(_compared(study, status)),
        "Figures": images,
        "How to reproduce it": _reproduce(study, status),
    }
    body = "".join(f"<h2>{title}</h2>{content}" for title, content in sections.items())
    name, written = html.escape(study.name), datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{name}: report</title>"
        f"<style>{_STYLE}</style></head><body><h1>{name}</h1><p class='small'>Hyperparameter search by nlb-search, "
        f"report of {written}. Scores are co-bps on val unless another is named: bits per spike of held-out neurons, "
        f"0 at each neuron's mean rate.</p>{body}</body></html>\n"
    )


def _searched(status: StudyStatus) -> Rows:
    spec, states = status.spec, status.states
    return [
        ("dataset", f"{spec.dataset}, {spec.bin_ms} ms bins"),
        ("chains", "; ".join(spec.architectures)),
        ("space", f"{spec.space_name}: " + "; ".join(f"{name} {values}" for name, values in spec.space.items())),
        ("sampler, pruner", f"{spec.sampler}, {spec.pruner}, seed {spec.seed}"),
        ("training", f"up to {spec.epochs} epochs in batches of {spec.batch_sizes} trials"),
        (
            "trials",
            f"{status.finished} of {status.budget} finished: {states['complete']} complete, "
            f"{states['pruned']} pruned; {states['fail']} failed",
        ),
    ]


def _found(study: OpenStudy, status: StudyStatus) -> Rows:
    best = status.best
    if best is None:
        return [("best trial", "none: no trial is complete yet")]
    low, high = best.attrs.get("co_bps_low"), best.attrs.get("co_bps_high")
    known = low is not None and high is not None
    interval = f", {SHARE}% bootstrap interval over val trials {low:.4f} to {high:.4f}" if known else ""
    settings = settings_of_parameters(best.params).items()
    return [
        ("best trial", f"{best.number}: co-bps {best.value:.4f}{interval}"),
        *metrics_as_text(best.attrs),
        ("compared with the others", find_ties(study).as_text()),
        (
            "settings",
            ", ".join(
                f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in settings
            ),
        ),
        ("caution", "the best of many trials overestimates itself on val: rescore it by cross-validation, or on test"),
    ]


def _compared(study: OpenStudy, status: StudyStatus) -> Rows:
    first = study.study.get_trials(deepcopy=False)[0]
    settings = "" if status.spec.sampler == "grid" else " (default settings)"
    is_complete = first.state == TrialState.COMPLETE
    of_first = f"{first.value:.4f}" if is_complete else f"not complete: {first.state.name.lower()}"
    baseline = _baseline(study)
    smoothing = f"not known: {baseline.reason}" if baseline.co_bps is None else f"{baseline.co_bps:.4f}"
    return [
        ("best trial", "none" if status.best is None else f"{status.best.value:.4f}"),
        (f"trial 0{settings}", of_first),
        ("smoothing baseline (Pei et al. 2021)", smoothing),
        ("each neuron's mean rate", "0"),
    ]


def _baseline(study: OpenStudy) -> _Baseline:
    try:
        recording = study.recording()
    except (SearchError, DataError) as error:
        return _Baseline(None, str(error))
    train, val = counts_of(recording.train), counts_of(recording.val)
    rates = smoothed_rates(train, val.heldin_BWI, recording.bin_ms)
    spikes = val.target_BTN[:, : val.sizes.n_window, val.sizes.n_heldin :]
    return _Baseline(bits_per_spike(rates, spikes).item())


def _reproduce(study: OpenStudy, status: StudyStatus) -> str:
    spec, name = status.spec, study.name
    chains = " ".join(f"--arch '{chain}'" for chain in spec.architectures)
    space = f"--space {spec.space_name if spec.space_name in ('paper', 'wide') else 'FILE.toml'}"
    size = "" if spec.bin_ms == 5 else f" --bin-size {spec.bin_ms}"
    commands = (
        f"nlb-search launch {name} --dataset {spec.dataset} {chains} --trials {status.budget} --epochs {spec.epochs} "
        f"{space} --sampler {spec.sampler} --pruner {spec.pruner} --seed {spec.seed}{size} --workers 1\n"
        f"nlb-search export-best {name} --out submission.h5"
    )
    versions = ", ".join(f"{package} {version}" for package, version in spec.versions.items())
    facts: Rows = [("versions", versions), ("recording", f"content {spec.content_hash[:16]}")]
    own = "" if spec.recording is None else " and the same --recording, if one was given"
    note = f"Give --data, the folder or file of the recording{own}. One worker on one machine gives the same trials."
    return f"<pre>{html.escape(commands)}</pre><p>{note}</p>{_table(facts)}"


def _table(rows: Rows) -> str:
    cells = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>" for name, text in rows)
    return f"<table>{cells}</table>"
