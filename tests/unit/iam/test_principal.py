"""Principals as the audit log and key policies name them."""

from kms_server.iam.principal import Principal

A = "111111111111"


def test_a_root_in_the_audit_log() -> None:
    principal = Principal.root(A, "AKIAROOT")
    assert principal.name == "root"
    assert principal.identity == {
        "type": "Root",
        "principalId": A,
        "arn": f"arn:aws:iam::{A}:root",
        "accountId": A,
        "accessKeyId": "AKIAROOT",
    }


def test_a_user_in_the_audit_log() -> None:
    principal = Principal.user(A, "mira", "AIDA", "AKIAUSER", ())
    assert principal.name == "mira"
    assert principal.identity == {
        "type": "IAMUser",
        "principalId": "AIDA",
        "arn": f"arn:aws:iam::{A}:user/mira",
        "accountId": A,
        "accessKeyId": "AKIAUSER",
        "userName": "mira",
    }


def test_the_operator_in_the_audit_log() -> None:
    principal = Principal.operator(A)
    assert principal.name == "operator"
    assert principal.identity == {
        "type": "Operator",
        "principalId": "operator",
        "accountId": A,
        "userName": "operator",
    }
