"""HTML page of an inspected recording, with its table, warnings and figures. It needs no network."""

import html
from pathlib import Path

from nlb_search.data.inspection.inspection import Inspection
from nlb_search.data.inspection.survey import Survey
from nlb_search.search.errors import SearchError
from nlb_search.search.figures.inspection import inspection_figures as figures
from nlb_search.search.figures.inspection.inspection_table import facts
from nlb_search.search.figures.inspection.inspection_warnings import inspection_warnings
from nlb_search.storage.atomic_files import atomic_file

FILE = "inspection.html"
_CONFIG = {"responsive": True, "displayModeBar": False}

_STYLE = """
body { font: 15px/1.45 "Open Sans", "Segoe UI", Helvetica, Arial, sans-serif; color: #24292f; background: #fff;
       max-width: 1240px; margin: 24px auto; padding: 0 20px }
h1 { font-size: 24px; font-weight: 600 }
h2 { font-size: 17px; font-weight: 600; margin: 24px 0 6px }
th { text-align: left; font-weight: 400; color: #57606a; padding: 1px 18px 1px 0; vertical-align: top;
     white-space: nowrap }
td { padding: 1px 0 }
li { margin: 4px 0 }
.warnings { border-left: 4px solid #D55E00; padding-left: 26px; margin: 6px 0 }
.figures { display: grid; grid-template-columns: 1fr 1fr; gap: 12px 20px; margin-top: 18px }
.wide { grid-column: 1 / -1 }
@media (max-width: 900px) { .figures { grid-template-columns: 1fr } }
"""


def write_page(survey: Survey, found: Inspection, out: Path) -> Path:
    """Write the page to the folder ``out`` and return its path. Raises SearchError if it cannot be written."""
    path = out / FILE
    try:
        with atomic_file(path) as part:
            part.write_text(_page(survey, found), encoding="utf-8")
    except OSError as error:
        raise SearchError(f"cannot write the page to {out}: {error.strerror or error}") from error
    return path


def _page(survey: Survey, found: Inspection) -> str:
    title = html.escape(f"{found.name} in bins of {found.bin_ms} ms")
    rows = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(fact)}</td></tr>" for name, fact in facts(found))
    lines = "".join(f"<li>{html.escape(warning)}</li>" for warning in inspection_warnings(found))
    problems = f"<h2>Possible problems</h2><ul class='warnings'>{lines}</ul>" if lines else "<p>No problems found.</p>"
    all_figures = [
        figures.raster(survey.recording),
        figures.rates(survey),
        figures.over_window(survey),
        figures.over_trials(survey),
        figures.counts(survey),
    ]
    drawn = "".join(
        f"<div class='{'figure' if number else 'figure wide'}'>"
        + figure.to_html(full_html=False, include_plotlyjs=not number, config=_CONFIG)
        + "</div>"
        for number, figure in enumerate(all_figures)
    )
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{title}</title>"
        f"<style>{_STYLE}</style></head>"
        f"<body><h1>{title}</h1><table>{rows}</table>{problems}<div class='figures'>{drawn}</div></body></html>"
    )
