"""Principals as the audit log and policies name them."""

from kms_server.iam.principal import Issuer, Principal, Session
from tests.unit.iam.policy_documents import A, session, user

ROOT = f"arn:aws:iam::{A}:root"


def test_a_root() -> None:
    principal = Principal.root(A, "AKIAROOT")
    assert principal.name == "root"
    assert principal.names.own == {ROOT}
    assert principal.names.role == set()
    assert principal.names.account == {ROOT}
    assert principal.identity == {
        "type": "Root",
        "principalId": A,
        "arn": ROOT,
        "accountId": A,
        "accessKeyId": "AKIAROOT",
    }


def test_a_user() -> None:
    principal = user(A)
    arn = f"arn:aws:iam::{A}:user/mira"
    assert principal.name == "mira"
    assert principal.names.own == {arn, "AIDAMIRA"}
    assert principal.names.role == set()
    assert principal.names.account == {ROOT}
    assert principal.identity == {
        "type": "IAMUser",
        "principalId": "AIDAMIRA",
        "arn": arn,
        "accountId": A,
        "accessKeyId": "AKIA",
        "userName": "mira",
    }


def test_a_session_of_a_role() -> None:
    principal = session()
    arn = f"arn:aws:sts::{A}:assumed-role/batch/run"
    role = f"arn:aws:iam::{A}:role/jobs/batch"
    assert principal.name == "run"
    assert principal.names.own == {arn, "AROABATCH:run"}
    assert principal.names.role == {role, "AROABATCH"}
    assert principal.names.all == {arn, "AROABATCH:run", role, "AROABATCH", ROOT}
    assert principal.identity == {
        "type": "AssumedRole",
        "principalId": "AROABATCH:run",
        "arn": arn,
        "accountId": A,
        "accessKeyId": "ASIA",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": "AROABATCH",
                "arn": role,
                "accountId": A,
                "userName": "batch",
            },
            "attributes": {"creationDate": "2023-11-14T22:13:20Z", "mfaAuthenticated": "false"},
        },
    }


def test_a_federated_user_is_a_session_of_its_user() -> None:
    issuer = Issuer("IAMUser", "AIDAMIRA", f"arn:aws:iam::{A}:user/mira", A, "mira")
    arn = f"arn:aws:sts::{A}:federated-user/guest"
    federated = Session(0.0, issuer, source_identity="who", web_identity={"idp:sub": "s"})
    principal = Principal("FederatedUser", A, arn, f"{A}:guest", "ASIA", session=federated)
    assert principal.names.own == {arn, f"{A}:guest"}
    assert principal.names.role == {issuer.arn, "AIDAMIRA"}
    context = principal.identity["sessionContext"]
    assert context["sessionIssuer"]["type"] == "IAMUser"
    assert context["sourceIdentity"] == "who"
    assert context["webIdFederationData"] == {"attributes": {"idp:sub": "s"}}


def test_the_operator_in_the_audit_log() -> None:
    principal = Principal.operator(A)
    assert principal.name == "operator"
    assert principal.identity == {
        "type": "Operator",
        "principalId": "operator",
        "accountId": A,
        "userName": "operator",
    }
