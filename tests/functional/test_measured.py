"""What /_kms/metrics of a live server has, and that dashboard and alerts ask for nothing else."""

import json
import re
import socket
import ssl
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.functional.s3_client import new_bucket, s3_client
from tests.functional.server_process import ServerProcess

DEPLOY = Path(__file__).parents[2] / "deploy"
_NAME = re.compile(r"\bkms_server_\w+")
# Labels that Prometheus itself adds.
_OF_PROMETHEUS = {"instance", "job", "le"}


@pytest.fixture(scope="module")
def server(tls_server: ServerProcess) -> ServerProcess:
    return tls_server


def samples(server: ServerProcess) -> dict[str, list[tuple[dict[str, str], float]]]:
    trusted = ssl.create_default_context(cafile=server.access.verify)
    with urllib.request.urlopen(f"{server.url}/_kms/metrics", context=trusted) as answer:
        text = answer.read().decode()
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def value(found: dict[str, list[tuple[dict[str, str], float]]], name: str, /, **labels: str) -> float:
    return sum(
        number for have, number in found.get(f"kms_server_{name}", []) if labels.items() <= have.items()
    )


@pytest.fixture(scope="module")
def used(server: ServerProcess) -> ServerProcess:
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    for _ in range(3):
        kms.encrypt(KeyId=key, Plaintext=b"x")
    for keyless in ("alias/none", "not a key"):
        with pytest.raises(kms.exceptions.ClientError):
            kms.encrypt(KeyId=keyless, Plaintext=b"x")
    s3 = s3_client(server.access)
    s3.put_object(Bucket=new_bucket(s3), Key="a", Body=b"x")
    return server


def test_calls_are_counted_by_operation_and_result(used: ServerProcess) -> None:
    used.wait_for(lambda: value(samples(used), "calls_total", operation="PutObject") == 1)
    found = samples(used)
    assert value(found, "calls_total", operation="Encrypt", result="ok") == 3
    assert value(found, "calls_total", operation="Encrypt", result="refused") == 2
    assert value(found, "calls_total", service="s3", operation="PutObject", result="ok") == 1
    assert value(found, "call_seconds_count", family="kms_data") == 5
    assert value(found, "call_seconds_bucket", family="kms_data", le="+Inf") == 5
    assert 0 < value(found, "call_seconds_sum", family="kms_data") < 60
    assert value(found, "committed_calls_total", log="management") == 5
    assert value(found, "commit_failures_total") == 0
    assert value(found, "cold_calls_total") >= 1
    used.wait_for(lambda: value(samples(used), "workers") == 2)
    parts = urlsplit(used.url)
    with socket.create_connection((str(parts.hostname), parts.port or 80)):
        used.wait_for(lambda: value(samples(used), "connections") >= 1)


def queries() -> list[str]:
    alerts = yaml.safe_load((DEPLOY / "prometheus/alerts.yaml").read_text())
    rules: list[dict[str, Any]] = [rule for group in alerts["groups"] for rule in group["rules"]]
    assert all(rule["annotations"]["summary"] and rule["labels"]["severity"] for rule in rules)
    dashboard = json.loads((DEPLOY / "grafana/kms-server.json").read_text())
    targets = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    variables = [one["definition"] for one in dashboard["templating"]["list"] if "definition" in one]
    return [rule["expr"] for rule in rules] + targets + variables


def test_dashboard_and_alerts_ask_for_what_is_there(used: ServerProcess) -> None:
    used.wait_for(lambda: "kms_server_audit_log_bytes" in samples(used))
    found = samples(used)
    asked = {name for query in queries() for name in _NAME.findall(query)}
    assert asked <= found.keys()
    assert len(asked) > 20
    for query in queries():
        for name, selector in re.findall(r"(kms_server_\w+)\{([^}]*)\}", query):
            for label in re.findall(r"(\w+)=", selector):
                assert label in _OF_PROMETHEUS or any(label in labels for labels, _ in found[name]), query
        for results in re.findall(r'result=~?"([^"]*)"', query):
            assert set(results.split("|")) <= {
                "ok",
                "denied",
                "throttled",
                "refused",
                "failed",
                "unauthenticated",
            }
