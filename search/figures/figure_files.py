"""Writes figures: those of a study, as pages that share one copy of Plotly or as images for papers, and single ones."""

import html
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast

from nlb_search.data.errors import DataError
from nlb_search.search.charts import matplotlib_drawing, plotly_drawing
from nlb_search.search.charts.chart import Chart
from nlb_search.search.errors import SearchError, UsageError
from nlb_search.search.figures.network_charts import network_charts
from nlb_search.search.figures.parallel_coordinates import parallel_coordinates
from nlb_search.search.figures.rescoring_chart import rescoring_chart
from nlb_search.search.figures.study_charts import curves, history, importances
from nlb_search.search.output_paths import check_file
from nlb_search.search.publishing.study_figures import running_charts
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.storage.atomic_files import atomic_file
from nlb_search.storage.errors import StorageError

Format = Literal["html", "png", "svg"]
FORMATS: tuple[Format, ...] = ("html", "png", "svg")

_PLOTLY = "plotly.min.js"
_CONFIG = {"responsive": True, "displaylogo": False}
_STYLE = """body { font: 15px/1.45 "Open Sans", "Segoe UI", Helvetica, Arial, sans-serif; color: #24292f;
max-width: 1100px; margin: 24px auto; padding: 0 20px } iframe { border: 0; width: 100%; height: 500px }
h1 { font-size: 24px } h2 { font-size: 17px; margin: 28px 0 4px }"""

_log = logging.getLogger(__name__)


def formats_named(text: str) -> tuple[Format, ...]:
    """The formats in a list separated by commas. Raises UsageError for an unknown one."""
    names = [name.strip().lower() for name in text.split(",")]
    for name in names:
        if name not in FORMATS:
            raise UsageError(f"--format {text}: there is no format '{name}': give one or more of {','.join(FORMATS)}")
    return tuple(cast(Format, name) for name in dict.fromkeys(names))


def check_figure(path: Path) -> None:
    """Raise UsageError unless a file's name ends with a format, and SearchError if it cannot be written."""
    if path.suffix[1:].lower() not in FORMATS:
        raise UsageError(f"--figure {path}: name a file that ends with {', '.join(f'.{one}' for one in FORMATS)}")
    check_file(path, lambda _: True, "a figure", "--figure")


def write_figure(chart: Chart, path: Path) -> None:
    """Write a chart in the format of the file's name; a page has all that it needs. Raises SearchError if it cannot."""
    file_format = cast(Format, path.suffix[1:].lower())
    try:
        _write(path, _image(chart, file_format, plotly=True))
    except OSError as error:
        raise SearchError(f"cannot write {path}: {error.strerror or error}") from error


def all_charts(study: OpenStudy) -> list[Chart]:
    """Every chart of a study. Those of the best network are left out, with the reason in the log, if it cannot be read.

    Raises SearchError if the study has no finished trial.
    """
    if not any(trial.state.is_finished() for trial in study.study.get_trials(deepcopy=False)):
        raise SearchError(f"the study '{study.name}' has no finished trial yet: there is nothing to plot")
    charts = [history(study), curves(study), *running_charts(study), *importances(study), *parallel_coordinates(study)]
    if (rescoring := rescoring_chart(study)) is not None:
        charts.append(rescoring)
    try:
        return charts + network_charts(study, study.recording())
    except (SearchError, StorageError, DataError) as error:
        _log.warning("skipping the figures of the best network: %s", error)
        return charts


def write_figures(study: OpenStudy, out: Path, formats: Sequence[Format]) -> list[Path]:
    """Write every figure to the folder ``out`` in each format, and for ``html`` an index page; return their paths.

    The pages need no network. Raises SearchError if the study has no finished trial, or the folder cannot be written.
    """
    charts = all_charts(study)
    try:
        out.mkdir(parents=True, exist_ok=True)
        paths = [_write(out / f"{chart.name}.{one}", _image(chart, one)) for one in formats for chart in charts]
        return paths if "html" not in formats else [*_write_index(study, charts, out), *paths]
    except OSError as error:
        raise SearchError(f"cannot write figures to {out}: {error.strerror or error}") from error


def _image(chart: Chart, file_format: Format, plotly: str | Literal[True] = _PLOTLY) -> bytes:
    """A chart in a format. A page loads Plotly from the file ``plotly`` beside it, or has it inside if it is true."""
    if file_format != "html":
        return matplotlib_drawing.draw(chart, file_format)
    page: str = plotly_drawing.draw(chart).to_html(include_plotlyjs=plotly, config=_CONFIG)
    return page.encode()


def _write_index(study: OpenStudy, charts: list[Chart], out: Path) -> list[Path]:
    from plotly.offline import get_plotlyjs

    title = html.escape(f"{study.name}: figures")
    sections = "".join(
        f"<h2><a href='{chart.name}.html'>{html.escape(chart.title)}</a></h2>"
        f"<iframe src='{chart.name}.html' loading='lazy' title='{html.escape(chart.title, quote=True)}' "
        f"style='height: {plotly_drawing.height_of(chart) + 60}px' scrolling='no'></iframe>"
        for chart in charts
    )
    page = (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{title}</title><style>{_STYLE}</style>"
        f"</head><body><h1>{title}</h1>{sections}</body></html>\n"
    )
    return [_write(out / "index.html", page.encode()), _write(out / _PLOTLY, get_plotlyjs().encode())]


def _write(path: Path, content: bytes) -> Path:
    with atomic_file(path) as part:
        part.write_bytes(content)
    return path
