"""The wheel contains one package, which does not shadow the user's own models, data, search or storage."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("search", "models", "data", "storage")
OFFLINE = ("--quiet", "--no-index", "--no-deps", "--disable-pip-version-check")


def _python(*arguments: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """The output of Python, run with these arguments."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources, because a build leaves files beside them."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in ("nlb_search", *FOLDERS):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    _python("-m", "pip", "wheel", *OFFLINE, "--no-build-isolation", "--wheel-dir", folder, source)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def site_packages(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which only the wheel is installed."""
    folder = tmp_path_factory.mktemp("site") / "packages"
    _python("-m", "pip", "install", *OFFLINE, "--target", folder, wheel)
    return folder


def test_wheel_contains_every_module_once_and_py_typed(wheel: Path) -> None:
    there = {name for name in ZipFile(wheel).namelist() if not name.split("/")[0].endswith(".dist-info")}
    modules = {f"nlb_search/{path.relative_to(ROOT)}" for name in FOLDERS for path in (ROOT / name).rglob("*.py")}
    own = {f"nlb_search/{name}" for name in ("__init__.py", "__main__.py", "py.typed")}
    assert there == modules | own


def test_wheel_installs_one_package_and_one_command(site_packages: Path) -> None:
    there = {path.name for path in site_packages.iterdir() if path.suffix != ".dist-info"}
    assert there == {"nlb_search", "bin"}
    assert [path.name for path in (site_packages / "bin").iterdir()] == ["nlb-search"]


def test_packages_of_the_user_with_same_names_can_be_imported(site_packages: Path, tmp_path: Path) -> None:
    for name in FOLDERS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("WHOSE = 'the user'\n")
    script = tmp_path / "script.py"
    script.write_text(
        f"import {', '.join(FOLDERS)}\n"
        "import nlb_search\n"
        "import nlb_search.search.cli.app, nlb_search.search.workers.worker\n"
        f"print(nlb_search.__file__, *(module.WHOSE for module in ({', '.join(FOLDERS)})), sep='\\n')\n"
    )
    environment = os.environ | {"PYTHONPATH": str(site_packages)}
    ours, *theirs = _python(script, cwd=tmp_path, env=environment).splitlines()
    assert ours == str(site_packages / "nlb_search" / "__init__.py")
    assert theirs == ["the user"] * len(FOLDERS)
    assert "Usage: " in _python("-P", "-m", "nlb_search", "--help", cwd=tmp_path, env=environment)
