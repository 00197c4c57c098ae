"""The tutorial runs as it is written, and its stored outputs are small and free of paths."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

TUTORIAL = Path(__file__).parents[1] / "docs" / "tutorial.ipynb"


@pytest.fixture(scope="module")
def stored() -> nbformat.NotebookNode:
    return nbformat.read(TUTORIAL, as_version=4)


def test_every_cell_runs_and_the_results_are_as_described(
    stored: nbformat.NotebookNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    notebook = nbformat.from_dict(stored)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    text = "\n".join(map(outputs_as_text, code_cells(notebook)))
    [best] = re.findall(r"10 of 10 trials \(.*\), best co-bps (\d\.\d{4})", text)
    [evaluated] = re.findall(r"'co-bps': (\d\.\d{8})", text)
    [correlation] = re.findall(r"correlation with the true rates .*: (\d\.\d\d)", text)
    assert float(best) == pytest.approx(float(evaluated), abs=1e-4)
    assert float(best) > 0.1
    assert float(correlation) > 0.8


def test_stored_outputs_have_pictures_and_no_paths(stored: nbformat.NotebookNode) -> None:
    assert TUTORIAL.stat().st_size < 500_000
    outputs = [output for cell in code_cells(stored) for output in cell.outputs]
    assert all(cell.outputs for cell in code_cells(stored)[:-1])
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2
    text = "\n".join(map(outputs_as_text, code_cells(stored)))
    assert re.findall(r"(?<![\w:<])/\w[\w.-]*/|Traceback|Warning", text) == []


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs_as_text(cell: nbformat.NotebookNode) -> str:
    return "\n".join(output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in cell.outputs)
