"""The command line starts without slow imports."""

import subprocess
import sys
from pathlib import Path

import pytest

from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.study.open_study import Locations
from nlb_search.storage.database.urls import parse_url

SLOW = ("cmaes", "numpy", "optuna", "optuna_dashboard", "pandas", "plotly", "pydantic", "scipy", "sklearn", "torch")


def test_help_does_not_import_slow_packages() -> None:
    code = f"import sys, nlb_search.search.cli.app; print(*{{*{SLOW}}} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("command", ["status", "studies", "pause", "stop"])
def test_commands_without_training_do_not_import_torch(command: str, recordings: Path, tmp_path: Path) -> None:
    locations = Locations(parse_url(f"sqlite:///{tmp_path}/studies.db"), tmp_path / "artifacts", recordings)
    create_or_open(locations, "study", StudyRequest(dataset="mc_rtt", architectures=("FF -> exp",), trials=1))
    words = [command, *(["study"] if command != "studies" else []), "--storage", str(locations.url)]
    code = (
        "import sys; from nlb_search.search.cli.app import app; "
        f"sys.argv = ['nlb-search', *{words}]; app(standalone_mode=False); "
        "print(*{'cmaes', 'pandas', 'plotly', 'scipy', 'sklearn', 'torch'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "", done.stdout


def test_launcher_does_not_import_torch() -> None:
    code = "import sys, nlb_search.search.launching.launcher; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_recording_that_cannot_be_read_is_reported_before_torch_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys, nlb_search.search.cli.app as commands\n"
        "sys.argv = ['nlb-search', 'inspect', '--dataset', 'mc_rtt', '--data', 'nowhere']\n"
        "try: commands.main()\n"
        "finally: print(*{'pandas', 'plotly', 'sklearn', 'torch'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert "nowhere" in done.stderr
    assert done.stdout.strip() == ""
