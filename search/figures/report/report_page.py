"""The report of a study: one page to send to a colleague, which needs no network and no scripts."""

import base64
import html
import re
from datetime import UTC, datetime
from pathlib import Path

from nlb_search.search.charts.chart import Chart
from nlb_search.search.charts.matplotlib_drawing import draw
from nlb_search.search.errors import SearchError
from nlb_search.search.figures.figure_files import all_charts
from nlb_search.search.figures.report.next_steps import next_steps
from nlb_search.search.figures.report.report_comparison import Rows, comparison, published, published_rows
from nlb_search.search.launching.pareto_table import front_rows
from nlb_search.search.networks.ties import Ties, find_ties
from nlb_search.search.rescoring.rescoring import rescoring_of
from nlb_search.search.sampling.spaces.range_types import settings_to_show
from nlb_search.search.scoring.bootstrap import CONFIDENCE_PERCENT
from nlb_search.search.scoring.metric_names import metrics_as_text, spread_as_text
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.specification_text import specification_rows
from nlb_search.search.study.status import StudyStatus, study_status
from nlb_search.storage.atomic_files import atomic_file

_STYLE = """
body { font: 15px/1.5 "Open Sans", "Segoe UI", Helvetica, Arial, sans-serif; color: #24292f; max-width: 800px;
       margin: 32px auto; padding: 0 20px }
h1 { font-size: 25px; margin-bottom: 4px } h2 { font-size: 18px; margin: 30px 0 8px }
table { border-collapse: collapse } th { text-align: left; font-weight: 400; color: #57606a; white-space: nowrap }
th, td { padding: 2px 18px 2px 0; vertical-align: top } img { width: 100%; margin: 10px 0; break-inside: avoid }
pre { background: #f4f5f6; padding: 10px 14px; white-space: pre-wrap } .small { color: #57606a; font-size: 13px }
code { background: #f4f5f6; padding: 1px 4px; display: inline-block; max-width: 100% } li { margin: 4px 0 }
h2 { break-after: avoid } tr, li { break-inside: avoid }
@page { margin: 16mm }
@media print { body { margin: 0; max-width: none; font-size: 10.5pt } img { width: 82%; margin: 8px 9% } }
"""


def write_report(study: OpenStudy, out: Path) -> None:
    """Write the report to the file ``out``. Raises SearchError without a finished trial or if it cannot be written."""
    if out.is_dir() or not out.parent.is_dir():
        raise SearchError(f"cannot write {out}: pass --out a file in an existing folder, such as report.html")
    page = _page(study)
    try:
        with atomic_file(out) as part:
            part.write_text(page, encoding="utf-8")
    except OSError as error:
        raise SearchError(f"cannot write {out}: {error.strerror or error}") from error


def _page(study: OpenStudy) -> str:
    charts, status, ties = all_charts(study), study_status(study), find_ties(study)
    sections = {
        "What was searched": _table(_searched(status)),
        "What was found": _table(_found(study, status, ties)),
        "Pareto front": _front(status),
        "Compared with": _table(comparison(study, status)),
        "Published scores of the real recording": _published(study),
        "What to try next": _list(next_steps(study, status, ties)),
        "Figures": "".join(map(_image, charts)),
        "How to reproduce it": _reproduce(study, status),
    }
    body = "".join(f"<h2>{title}</h2>{content}" for title, content in sections.items() if content)
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
        *specification_rows(spec).items(),
        ("ranges", "; ".join(f"{name} {values}" for name, values in spec.space.items())),
        (
            "trials",
            f"{status.finished} of {status.budget} finished: {states['complete']} complete, "
            f"{states['pruned']} pruned; {states['fail']} failed",
        ),
    ]


def _found(study: OpenStudy, status: StudyStatus, ties: Ties) -> Rows:
    best = status.best
    if best is None:
        return [("best trial", "none: no trial is complete yet")]
    low, high = best.attrs.get("co_bps_low"), best.attrs.get("co_bps_high")
    known = low is not None and high is not None
    interval = f", {CONFIDENCE_PERCENT}% bootstrap interval over val trials {low:.4f} to {high:.4f}" if known else ""
    settings = settings_to_show(best.params, best.attrs).items()
    return [
        ("best trial", f"{best.number}: co-bps {best.value:.4f}{interval}"),
        *([("seeds", spread)] if (spread := spread_as_text(best.attrs)) else []),
        *metrics_as_text(best.attrs),
        ("compared with the others", ties.as_text()),
        (
            "settings",
            ", ".join(
                f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in settings
            ),
        ),
        *_rescored(study),
    ]


def _rescored(study: OpenStudy) -> Rows:
    try:
        rescoring = rescoring_of(study)
    except SearchError:
        advice = "val overestimates the best of many trials: rescore it by cross-validation, or score it on test"
        return [("rescored", "not rescored by cross-validation"), ("caution", advice)]
    scores = "; ".join(
        f"trial {one.trial.number}: {one.mean:.4f}, standard deviation {one.spread:.4f} over {rescoring.splits} folds"
        for one in rescoring.ranked
    )
    advice = "val selected the trials: report the mean over the folds, or score on test"
    return [("rescored", scores), ("caution", advice)]


def _reproduce(study: OpenStudy, status: StudyStatus) -> str:
    spec, name = status.spec, study.name
    chains = [f"--arch '{chain}'" for chain in spec.architectures]
    space = f"--space {spec.space_name if spec.space_name in ('paper', 'wide') else 'FILE.toml'}"
    size = "" if spec.bin_ms == 5 else f" --bin-size {spec.bin_ms}"
    objective = f"--objective {','.join(spec.objectives)} " if spec.has_own_objectives else ""
    # One line would be broken anywhere, also within an option.
    launch = [
        f"nlb-search launch {name} --dataset {spec.dataset}",
        *chains,
        f"--trials {status.budget} --epochs {spec.epochs} --seeds {spec.seeds} {space}",
        f"{objective}--sampler {spec.sampler} --pruner {spec.pruner} --seed {spec.seed}{size} --workers 1",
    ]
    commands = " \\\n    ".join(launch) + f"\nnlb-search export-best {name} --out submission.h5"
    versions = ", ".join(f"{package} {version}" for package, version in spec.versions.items())
    facts: Rows = [("versions", versions), ("recording", f"content {spec.content_hash[:16]}")]
    own = "" if spec.recording is None else " and the same --recording, if one was given"
    note = (
        f"Give --data, the folder or file of the recording{own}. On the same machine, one worker gives the same trials."
    )
    return f"<pre>{html.escape(commands)}</pre><p>{note}</p>{_table(facts)}"


def _published(study: OpenStudy) -> str:
    scores = published(study)
    if not scores:
        return ""
    sources = (html.escape(one) for one in dict.fromkeys(one.source for one in scores))
    linked = (re.sub(r"https://\S+", r"<a href='\g<0>'>\g<0></a>", source) for source in sources)
    items = "".join(f"<li>{source}</li>" for source in linked)
    return f"{_table_with_head(published_rows(scores))}<p class='small'>Sources:</p><ul class='small'>{items}</ul>"


def _front(status: StudyStatus) -> str:
    return _table_with_head(front_rows(status)) if status.spec.has_own_objectives and status.front else ""


def _table_with_head(rows: Rows) -> str:
    """A table whose first row has the names of its columns."""
    head, *others = (
        "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row)
        for row, tag in zip(rows, ["th", *["td"] * (len(rows) - 1)], strict=True)
    )
    body = "".join(f"<tr>{row}</tr>" for row in others)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _list(sentences: list[str]) -> str:
    items = (re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(sentence)) for sentence in sentences)
    return "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"


def _image(chart: Chart) -> str:
    source = base64.b64encode(draw(chart, "svg")).decode()
    return f"<img alt='{html.escape(chart.title, quote=True)}' src='data:image/svg+xml;base64,{source}'>"


def _table(rows: Rows) -> str:
    cells = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>" for name, text in rows)
    return f"<table>{cells}</table>"
