"""The texts of refusals."""

import pytest

from kms_server.arn import user_arn
from kms_server.iam.decision import Decision, Reason
from kms_server.iam.denial import denied, not_visible
from tests.unit.iam.policy_documents import KEY_ARN, A, user

USER = user_arn(A, "mira")
CALLER = f"User: {user_arn(A, 'mira')} is not authorized to perform: kms:Decrypt"
WHY = {
    Reason.NO_RESOURCE_POLICY: "because no resource-based policy allows the kms:Decrypt action",
    Reason.NO_IDENTITY: "because no identity-based policy allows the kms:Decrypt action",
    Reason.NO_BOUNDARY: "because no permissions boundary allows the kms:Decrypt action",
    Reason.NO_SESSION: "because no session policy allows the kms:Decrypt action",
    Reason.DENIED_BY_BOUNDARY: "with an explicit deny in a permissions boundary",
    Reason.DENIED_BY_SESSION: "with an explicit deny in a session policy",
    Reason.DENIED_BY_RESOURCE_POLICY: "with an explicit deny in a resource-based policy",
    Reason.DENIED_BY_IDENTITY: "with an explicit deny in an identity-based policy",
}


@pytest.mark.parametrize("reason", WHY)
def test_a_refusal_says_why(reason: Reason) -> None:
    decision = Decision(allowed=False, reason=reason)
    assert denied(user(A), "kms:Decrypt", KEY_ARN, decision).message == (
        f"{CALLER} on resource: {KEY_ARN} {WHY[reason]}"
    )
    assert denied(user(A), "kms:Decrypt", KEY_ARN, decision, from_ciphertext=True).message == (
        f"{CALLER} on the resource associated with this ciphertext {WHY[reason]}"
    )


def test_every_refusal_has_a_text() -> None:
    assert {reason for reason in Reason if reason.name.startswith(("NO_", "DENIED_"))} == set(WHY)


def test_a_key_of_another_account_is_neither_confirmed_nor_denied() -> None:
    assert not_visible(user(A), "kms:Decrypt").message == (
        f"{CALLER} on this resource because the resource does not exist in this Region, no resource-based "
        "policies allow access, or a resource-based policy explicitly denies access"
    )
