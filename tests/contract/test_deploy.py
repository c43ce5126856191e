"""What stands in deploy/ fits this program: options, paths, users, times; and the image can be built."""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kms_server.cli.main import cli
from kms_server.cli.options import commands_of
from tests.functional.command_line import run_in
from tests.functional.server_process import StartServer

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text())
MANIFESTS = list(yaml.safe_load_all((DEPLOY / "kubernetes/kms-server.yaml").read_text()))
UNIT = (DEPLOY / "systemd/kms-server.service").read_text()


def options_of(command: str) -> set[str]:
    (found,) = [one for one in commands_of(cli) if one.name == command]
    return {name for parameter in found.params for name in parameter.opts}


def check_command(words: list[str]) -> None:
    """The words after `kms-server` are a command with options that it has."""
    command, *rest = words
    given = {word.partition("=")[0] for word in rest if word.startswith("--")}
    assert given <= options_of(command), words


def manifest(kind: str) -> dict[str, Any]:
    (found,) = [one for one in MANIFESTS if one["kind"] == kind]
    return dict(found)


def pod() -> dict[str, Any]:
    return dict(manifest("Deployment")["spec"]["template"]["spec"])


def seconds_of(words: list[str], option: str) -> float:
    (value,) = [word.partition("=")[2] for word in words if word.startswith(f"--{option}=")]
    return float(value)


def test_every_command_line_has_options_that_exist(tmp_path: Path) -> None:
    check_command(COMPOSE["services"]["kms-server"]["command"])
    (server,) = pod()["containers"]
    check_command(server["args"])
    check_command(next(one["args"] for one in pod()["initContainers"] if one["name"] == "migrate"))
    (start,) = re.findall(r"^ExecStart=/opt/kms-server/bin/kms-server (.*)$", UNIT, re.MULTILINE)
    check_command(shlex.split(start))
    # Unknown options are refused before anything else is looked at.
    told = run_in({}, "migrate", "--config", str(DEPLOY / "systemd/config.toml"), "--data-dir", str(tmp_path))
    assert "there is no server in" in told.stderr


def test_compose_gives_each_service_no_more_than_it_needs() -> None:
    for service in COMPOSE["services"].values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
        assert set(service["secrets"]) <= COMPOSE["secrets"].keys()
        assert set(service["networks"]) <= COMPOSE["networks"].keys()
    assert COMPOSE["services"]["kms-server"]["ports"] == ["127.0.0.1:4599:4599"]
    check_command(COMPOSE["services"]["kms-server"]["healthcheck"]["test"][2:])


def test_the_secrets_of_compose_are_made_once_and_fit(tmp_path: Path) -> None:
    script = shutil.copy(DEPLOY / "compose/secrets.sh", tmp_path)
    assert subprocess.run([script], check=True, capture_output=True).stderr == b""
    made = {path.name: path for path in (tmp_path / "secrets").iterdir()}
    assert made.keys() == COMPOSE["secrets"].keys()
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    config = tomllib.loads(made["kms-server.toml"].read_text())
    password = made["postgres-password"].read_text()
    assert re.fullmatch("[0-9a-f]{48}", password)
    assert config["database-url"] == f"postgresql://kms:{password}@postgres/kms"
    wanted = f"requirepass {config['quota-url'].split(':')[2].partition('@')[0]}"
    assert wanted in made["valkey.conf"].read_text().splitlines()
    before = {name: path.read_bytes() for name, path in made.items()}
    assert subprocess.run([script], check=False, capture_output=True).returncode == 2
    assert before == {name: path.read_bytes() for name, path in made.items()}


def test_pods_are_restricted() -> None:
    spec = pod()
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    # Else the variables of the service would be read as options: KMS_SERVER_PORT=tcp://...
    assert spec["enableServiceLinks"] is False
    assert spec["automountServiceAccountToken"] is False
    volumes = {volume["name"] for volume in spec["volumes"]}
    for container in (*spec["initContainers"], *spec["containers"]):
        restricted = container["securityContext"]
        assert restricted["allowPrivilegeEscalation"] is False
        assert restricted["readOnlyRootFilesystem"] is True
        assert restricted["capabilities"] == {"drop": ["ALL"]}
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


def test_a_rolling_upgrade_leaves_servers_that_answer() -> None:
    deployment, (server,) = manifest("Deployment")["spec"], pod()["containers"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert manifest("PodDisruptionBudget")["spec"]["minAvailable"] < deployment["replicas"]
    needed = seconds_of(server["args"], "drain-delay") + seconds_of(server["args"], "graceful-timeout")
    assert pod()["terminationGracePeriodSeconds"] > needed + 5
    ready = server["readinessProbe"]
    # A balancer must have heard of it before connections are refused.
    assert ready["periodSeconds"] * ready["failureThreshold"] < seconds_of(server["args"], "drain-delay")
    assert ready["httpGet"] == {"path": "/_kms/ready", "port": "https", "scheme": "HTTPS"}
    assert server["livenessProbe"]["httpGet"]["path"] == "/_kms/health"


def test_selectors_find_the_pods() -> None:
    labels = manifest("Deployment")["spec"]["template"]["metadata"]["labels"]
    selectors = [
        manifest("Deployment")["spec"]["selector"]["matchLabels"], manifest("Service")["spec"]["selector"],
        manifest("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        manifest("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ]  # fmt: skip
    assert all(selector == labels for selector in selectors)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "kms-server.service"
    unit.write_text(UNIT.replace("/opt/kms-server/bin/kms-server", "/bin/true"))
    for check in (["verify"], ["security", "--offline=true", "--threshold=20"]):
        done = subprocess.run(
            ["systemd-analyze", *check, str(unit)], check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "kms-server" not in done.stderr


def test_systemd_is_told_when_the_server_listens(start_server: StartServer, tmp_path: Path) -> None:
    assert "Type=notify" in UNIT
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        start_server(workers=1, env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.recv(1_000).startswith(b"READY=1\n")


def instructions() -> Iterator[tuple[str, str]]:
    """The lines of the Containerfile."""
    text = (DEPLOY / "Containerfile").read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, rest = line.partition(" ")
            yield name, rest.strip()


def test_the_image_runs_as_nobody_special_and_is_checked() -> None:
    found = list(instructions())
    last_stage = found[max(place for place, (name, _) in enumerate(found) if name == "FROM") :]
    told = dict(last_stage)
    assert told["USER"] == "10001:10001"
    assert "RUN" not in told
    for words in (told["HEALTHCHECK"].partition("CMD ")[2], told["CMD"]):
        command = yaml.safe_load(words)
        check_command([word for word in command if word != "kms-server"])
    assert all(
        "--require-hashes" in rest for _, rest in found if "requirements.lock" in rest and "pip" in rest
    )
    assert pod()["securityContext"]["runAsUser"] == 10001


@pytest.mark.skipif(not os.environ.get("KMS_TEST_SOAK"), reason="installs packages; set KMS_TEST_SOAK=1")
def test_what_the_image_is_built_from_serves(tmp_path: Path) -> None:
    """The steps of the first stage, in directories of the test's own, and then the second one's command."""
    places = {"/opt": tmp_path / "opt", "/src": tmp_path / "src"}
    for path in places.values():
        path.mkdir()

    def here(text: str) -> str:
        return re.sub(r"(?<![\w.])/(opt|src)\b", lambda found: str(places[found[0]]), text)

    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "SOURCE_DATE_EPOCH": "315532800",
    }
    if proxies := {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}:
        environment |= proxies
    stage = 0
    for name, rest in instructions():
        stage += name == "FROM"
        if stage == 1 and name == "COPY":
            *sources, target = rest.split()
            for source in sources:
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, places["/src"] / target)
                else:
                    shutil.copy(ROOT / source, places["/src"])
        elif stage == 1 and name == "RUN":
            subprocess.run(["sh", "-euc", here(rest)], cwd=places["/src"], env=environment, check=True)
    program = str(places["/opt"] / "kms-server/bin/kms-server")
    state = str(places["/opt"] / "state")
    served = [program, "serve", "--tls-auto", "--port", "0", "--workers", "1", "--data-dir", state]
    server = subprocess.Popen(served, cwd=tmp_path, env={"PATH": "/bin"}, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    url = server.stdout.readline().split()[-1]
    probe = [program, "probe", "--url", url.replace("127.0.0.1", "localhost"), "--ca", f"{state}/tls/ca.pem"]
    asked = subprocess.run(probe, env={"PATH": "/bin"}, check=False, capture_output=True, text=True)
    server.terminate()
    assert (asked.stdout, asked.returncode) == ("ready\n", 0), asked.stderr
    assert server.wait(40) == 0
    server.stdout.close()
