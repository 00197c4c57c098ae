"""Runs the steps of the Dockerfile one by one in a fresh root, without a builder, a base image or a network.

The root has a system of its own in ``/etc``, and this machine's programs and Python, read-only. What the image would
download is there already: the packages of the environment that runs the tests.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SYSTEM = ("usr", "bin", "sbin", "lib", "lib64")
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_COMPILE": "1"}
"""PIP_NO_BUILD_ISOLATION is inverted: 0 turns the isolation off."""


def can_run() -> bool:
    """Whether this process may make a root: it needs mounts of its own, an overlay among them."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    overlay = "mkdir a b c && mount -t overlay none -o lowerdir=/usr,upperdir=a,workdir=b c"
    made = f"mount -t tmpfs none /mnt && cd /mnt && {overlay}"
    return subprocess.run(["unshare", "--mount", "sh", "-c", made], capture_output=True).returncode == 0


def steps_of(dockerfile: Path) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile with their arguments."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(step.split(None, 1)[0], step.split(None, 1)[1].strip()) for step in joined if step.strip()]


def copy_context(root: Path, folder: Path) -> None:
    """Copy to a new folder what ``.dockerignore`` lets a builder see: it ignores all, then names what is not."""
    every, *rules = [line for line in (root / ".dockerignore").read_text().splitlines() if line[:1] not in ("", "#")]
    assert every == "*", "the first rule ignores all files"
    ignored = shutil.ignore_patterns(*(rule.removeprefix("**/") for rule in rules if rule.startswith("**/")))
    folder.mkdir()
    for name in (rule[1:] for rule in rules if rule.startswith("!")):
        if (root / name).is_dir():
            shutil.copytree(root / name, folder / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(root / name, folder / name)


@dataclass
class Image:
    """A root, and the settings with which the next step or a container starts."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: int = 0
    command: list[str] = field(default_factory=list)

    def build(self, dockerfile: Path, context: Path) -> None:
        """Run all steps. Raises CalledProcessError if one fails, and ValueError for an unknown instruction."""
        self._make_root()
        for instruction, arguments in steps_of(dockerfile):
            match instruction:
                case "FROM":
                    pass  # this machine's Python
                case "ARG" | "ENV":
                    pairs = (pair.partition("=") for pair in shlex.split(arguments))
                    self.environment |= {name: value for name, _, value in pairs}
                case "WORKDIR":
                    self.folder = arguments
                    self.path(arguments).mkdir(parents=True, exist_ok=True)
                case "COPY":
                    *sources, target = arguments.split()
                    for source in sources:
                        self._copy(context / source, self.path(self.folder) / target)
                case "RUN":
                    self.run("sh", "-c", arguments, environment=OFFLINE)
                case "USER":
                    self.user = int(arguments)
                case "CMD":
                    self.command = [word.strip('",') for word in arguments.strip("[]").split()]
                case _:
                    raise ValueError(f"{instruction} {arguments}")

    def path(self, inside: str) -> Path:
        return self.root / inside.lstrip("/")

    def run(self, *command: str, environment: Mapping[str, str] = {}) -> str:
        """The output of a command in the root, as the image's user in its folder."""
        settings = {"PATH": f"{sys.prefix}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "OMP_NUM_THREADS": "1"}
        inside = [
            "chroot",
            f"--userspec={self.user}:{self.user}",
            ".",
            "sh",
            "-c",
            f'cd {self.folder} && exec "$@"',
            "sh",
        ]
        outside = ["unshare", "--mount", "sh", "-ec", f'{self._mounts()}\nexec "$@"', "sh"]
        done = subprocess.run(
            [*outside, *inside, *command],
            cwd=self.root,
            env=settings | self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{shlex.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def _make_root(self) -> None:
        for folder in ("etc", "tmp", "proc", "dev", *(name for name in SYSTEM if Path("/", name).is_dir())):
            self.path(folder).mkdir(parents=True, exist_ok=True)
        self.path("tmp").chmod(0o1777)
        self.path("etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
        self.path("etc/group").write_text("root:x:0:\n")
        self.path("etc/login.defs").write_text("USERGROUPS_ENAB yes\n")  # as in Debian
        for name in ("changed", "work"):
            self.root.with_name(name).mkdir()

    def _mounts(self) -> str:
        """Commands that mount this machine's system and Python below the root. What is installed is kept beside it."""
        base, changed, work = sys.base_prefix, self.root.with_name("changed"), self.root.with_name("work")
        lines = [f"mount --bind -o ro /{name} {name}" for name in SYSTEM if self.path(name).is_dir()]
        lines += [f"mount --bind /{name} {name}" for name in ("proc", "dev")]
        if not base.startswith("/usr"):
            lines += [f"mkdir -p .{base}", f"mount --bind -o ro {base} .{base}"]
        lines += [
            f"mkdir -p .{sys.prefix}",
            f"mount -t overlay none -o lowerdir={sys.prefix},upperdir={changed},workdir={work} .{sys.prefix}",
        ]
        return "\n".join(lines)

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True)
        else:
            shutil.copy(source, target)
