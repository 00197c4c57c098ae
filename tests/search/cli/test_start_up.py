"""The command line starts without the packages that take seconds to import."""

import subprocess
import sys

SLOW = ("cmaes", "numpy", "optuna", "optuna_dashboard", "pandas", "plotly", "pydantic", "scipy", "sklearn", "torch")


def test_help_imports_nothing_slow() -> None:
    code = f"import sys, nlb_search.search.cli.app; print(*{{*{SLOW}}} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
