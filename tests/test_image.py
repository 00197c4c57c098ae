"""The image: the steps of the Dockerfile, run one by one in a fresh root, and built and run by buildah."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helpers.servers import dockerfile
from tests.helpers.servers.dockerfile import Image, copy_context, steps_of

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(not dockerfile.can_run(), reason="needs root, and mounts of its own")
def test_steps_of_dockerfile_install_the_command(tmp_path: Path) -> None:
    copy_context(ROOT, tmp_path / "context")
    image = Image(tmp_path / "image" / "root")
    image.build(ROOT / "Dockerfile", tmp_path / "context")
    assert image.run("id", "-u") == "1000\n"
    assert "Usage: " in image.run(*image.command)
    assert Path(image.run("python", "-c", "import nlb_search; print(nlb_search.__file__)")).parts[-3] == "site-packages"


def _buildah(*arguments: str | Path) -> str:
    command = ["buildah", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | ISOLATION)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


ISOLATION = {"BUILDAH_ISOLATION": "chroot"}
"""A container may not make containers of its own."""


@pytest.mark.thorough
@pytest.mark.skipif(shutil.which("buildah") is None, reason="buildah is not installed")
def test_image_runs_a_search(recordings: Path, tmp_path: Path) -> None:
    base = dict(steps_of(ROOT / "Dockerfile"))["FROM"]
    if subprocess.run(["buildah", "inspect", "--type=image", base], capture_output=True).returncode:
        pytest.skip(f"needs the base image: buildah pull {base}")
    (tmp_path / "artifacts").mkdir()
    os.chown(tmp_path / "artifacts", 1000, 1000)
    recordings.chmod(0o755)  # made by pytest for this user only
    image = container = None
    try:
        index = os.environ.get("TORCH_INDEX", "")
        image = _buildah("build", "--quiet", "--pull=never", f"--build-arg=TORCH_INDEX={index}", ROOT).splitlines()[-1]
        container = _buildah("from", "--pull=never", image)
        said = _buildah(
            *("run", "--user=1000", f"--volume={recordings}:/data:ro", f"--volume={tmp_path}/artifacts:/artifacts"),
            *("--env=NLB_SEARCH_STORAGE=sqlite:////artifacts/studies.db", container, "--"),
            *("nlb-search", "launch", "study", "--dataset", "mc_rtt", "--arch", "FF -> exp", "--workers", "1"),
            *("--trials", "1", "--epochs", "2"),
        )
    finally:
        for remove, name in (("rm", container), ("rmi", image)):
            if name is not None:
                _buildah(remove, name)
    assert "study: 1 of 1 trials" in said
