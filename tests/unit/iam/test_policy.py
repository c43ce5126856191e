"""What a policy document may be, and how AWS writes its own."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.errors import LimitExceededException, MalformedPolicyDocumentException
from kms_server.iam.key_policies import default_key_policy, pretty
from kms_server.iam.policy import compile_identity_policy, compile_key_policy, compile_trust_policy
from tests.unit.iam.policy_documents import ALLOW_ALL, A, B, document, statement

MALFORMED = {
    "empty": "",
    "a list": "[]",
    "no members": "{}",
    "no statement": '{"Statement":[]}',
    "a statement that is text": '{"Statement":["Allow"]}',
    "unknown version": '{"Version":"2020-01-01",'
    + document(statement(A))[len('{"Version": "2012-10-17",') :],
    "unknown member": document(statement(A))[:-1] + ',"Extra":1}',
    "an Id that is a number": document(statement(A))[:-1] + ',"Id":1}',
    "a Sid that is a number": document(statement(A, Sid=1)),
    "duplicate member": '{"Statement":[],' + document(statement(A))[1:],
    "duplicate member in a statement": document(statement(A)).replace('"Effect"', '"Effect":"Deny","Effect"'),
    "unknown member of a statement": document(statement(A, Extra=1)),
    "Effect in lower case": document(statement(A, "allow")),
    "Action and NotAction": document(statement(A, NotAction="x")),
    "Resource and NotResource": document(statement(A, NotResource="x")),
    "Action is a number": document(statement(A, action=1)),
    "Action is an empty list": document(statement(A, action=[])),
    "Action holds a number": document(statement(A, action=["kms:*", 1])),
    "Action without a service": document(statement(A, action="Encrypt")),
    "Action with two colons": document(statement(A, action="kms:a:b")),
    "Action with a line break": document(statement(A, action="kms:Encrypt\n")),
    "service with a wildcard": document(statement(A, action="*:Encrypt")),
    "Resource that is no ARN": document(statement(A, Resource="key/k")),
    "Resource of six parts that is no ARN": document(statement(A, Resource="a:aws:kms:*:*:key/k")),
    "Resource with a wildcard for arn": document(statement(A, Resource="*:aws:kms:*:*:key/k")),
    "Resource of five parts": document(statement(A, Resource="arn:aws:kms:*:111111111111")),
    "Condition is text": document(statement(A, Condition="x")),
    "Condition operator is text": document(statement(A, Condition={"Bool": "x"})),
    "Condition value is an object": document(statement(A, Condition={"Bool": {"k": {}}})),
    "Condition value is null": document(statement(A, Condition={"Bool": {"k": None}})),
    "unknown condition operator": document(statement(A, Condition={"StringAlmostEquals": {"k": "v"}})),
    "condition operator in another case": document(statement(A, Condition={"stringequals": {"k": "v"}})),
    "NullIfExists": document(statement(A, Condition={"NullIfExists": {"k": "true"}})),
    "condition operator without keys": document(statement(A, Condition={"Nothing": {}})),
    "set operator of its own": document(statement(A, Condition={"ForSomeValues:StringEquals": {"k": "v"}})),
    "not a number": document(statement(A, Condition={"NumericEquals": {"k": float("nan")}})),
    "infinite number": document(statement(A)).replace('"2012-10-17"', "1e999"),
    "number without end": document(statement(A)).replace('"2012-10-17"', "1" * 5_000),
    "deep nesting": "[" * 30_000,
    "characters beyond Latin-1": document(statement(A, Sid="\u4e00")),
    "half a character": document(statement(A, Sid="\ud800")),
}
INVALID_PRINCIPALS = {
    "missing": ALLOW_ALL,
    "both forms": statement(A, NotPrincipal="*"),
    "Allow with NotPrincipal": ALLOW_ALL | {"NotPrincipal": {"AWS": A}},
    "text": ALLOW_ALL | {"Principal": A},
    "no kind": ALLOW_ALL | {"Principal": {}},
    "unknown kind": ALLOW_ALL | {"Principal": {"User": A}},
    "short account": statement("1"),
    "short account in an ARN": statement("arn:aws:iam::1:root"),
    "other partition": statement(f"arn:aws-cn:iam::{A}:root"),
    "name": statement("nobody"),
    "group": statement(f"arn:aws:iam::{A}:group/staff"),
    "wildcard": statement(f"arn:aws:iam::{A}:user/*"),
    "session without a name": statement(f"arn:aws:sts::{A}:assumed-role/r"),
    "unique id of a group": statement("AGPAQ7EXAMPLEGROUP001"),
    "unique id with a wildcard": statement("AROAQ7EXAMPLEROLE0001:*"),
    "no unique id": statement("AIDA"),
    "line break": statement(f"arn:aws:iam::{A}:user/mira\n"),
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_malformed_documents_are_refused_whole(text: str) -> None:
    with pytest.raises(MalformedPolicyDocumentException):
        compile_key_policy(text)


@pytest.mark.parametrize("content", INVALID_PRINCIPALS.values(), ids=INVALID_PRINCIPALS)
def test_invalid_principals_are_refused_in_the_words_of_aws(content: dict[str, Any]) -> None:
    with pytest.raises(MalformedPolicyDocumentException) as caught:
        compile_key_policy(document(statement(A), content))
    assert caught.value.message == "Policy contains a statement with one or more invalid principals."


@pytest.mark.parametrize(
    "principal",
    [
        A, "*", f"arn:aws:iam::{A}:root", f"arn:aws:iam::{A}:user/team/mira", f"arn:aws:iam::{A}:role/r",
        f"arn:aws:sts::{A}:assumed-role/r/s", f"arn:aws:sts::{A}:federated-user/f", [A, B],
        "AIDAQ7EXAMPLEUSER0001", "AROAQ7EXAMPLEROLE0001", "AROAQ7EXAMPLEROLE0001:run-7",
    ],
)  # fmt: skip
def test_principals_of_every_form_are_taken(principal: Any) -> None:
    (compiled,) = compile_key_policy(document(statement(principal))).statements
    assert compiled.principals


def test_an_account_id_is_its_root() -> None:
    assert compile_key_policy(document(statement(A))) == compile_key_policy(
        document(statement(f"arn:aws:iam::{A}:root"))
    )


@pytest.mark.parametrize("missing", ["Principal", "Action", "Resource"])
def test_an_identity_policy_names_actions_and_resources_but_no_principal(missing: str) -> None:
    content = {name: value for name, value in statement(A).items() if name != missing}
    if missing == "Principal":
        assert compile_identity_policy(document(content)).statements
    else:
        del content["Principal"]
        with pytest.raises(MalformedPolicyDocumentException):
            compile_identity_policy(document(content))


def test_an_identity_policy_with_a_principal_is_refused() -> None:
    with pytest.raises(MalformedPolicyDocumentException):
        compile_identity_policy(document(statement(A)))


@pytest.mark.parametrize("operator", ["StringEquals", "StringNotLike", "ForAnyValue:StringEquals", "Null"])
@pytest.mark.parametrize("key", ["kms:EncryptionContext:Dept", "aws:RequestTag/Dept"])
def test_forallvalues_is_refused_for_keys_of_one_value(operator: str, key: str) -> None:
    def compiled(name: str, about: str) -> bool:
        return bool(compile_key_policy(document(statement(A, Condition={name: {about: "true"}}))).statements)

    assert compiled(operator, key)
    assert compiled("ForAllValues:StringEquals", "kms:EncryptionContextKeys")
    for name in ("ForAllValues:StringEquals", "ForAllValues:StringLikeIfExists"):
        for spelled in (key, key.upper(), key.lower()):
            with pytest.raises(MalformedPolicyDocumentException) as caught:
                compiled(name, spelled)
            assert caught.value.message.startswith(
                "OverlyPermissiveCondition: Using the ForAllValues set operator with a single-valued condition key "
            )


def test_iam_takes_what_kms_refuses() -> None:
    condition = {"ForAllValues:StringEquals": {"aws:RequestTag/Dept": "hr"}}
    identity = {"Effect": "Allow", "Action": "kms:TagResource", "Resource": "*", "Condition": condition}
    assert compile_identity_policy(document(identity)).statements
    trust = {"Effect": "Allow", "Principal": {"AWS": A}, "Action": "sts:TagSession", "Condition": condition}
    assert compile_trust_policy(document(trust)).statements


def test_a_trust_policy_names_principals_and_actions_but_no_resource() -> None:
    trust = {"Effect": "Allow", "Principal": {"AWS": A}, "Action": "sts:AssumeRole"}
    assert compile_trust_policy(document(trust)).statements
    for members in ({"Resource": "*"}, {"NotResource": "*"}):
        with pytest.raises(MalformedPolicyDocumentException):
            compile_trust_policy(document(trust | members))
    for missing in ("Principal", "Action"):
        with pytest.raises(MalformedPolicyDocumentException):
            compile_trust_policy(document({name: value for name, value in trust.items() if name != missing}))


def test_services_and_identity_providers_are_no_aws_principals() -> None:
    provider = "arn:aws:iam::111111111111:oidc-provider/idp"
    content = ALLOW_ALL | {"Principal": {"Service": "s3.amazonaws.com", "Federated": [provider, "*"]}}
    (compiled,) = compile_key_policy(document(content)).statements
    assert compiled.principals == {"Service:s3.amazonaws.com", f"Federated:{provider}", "Federated:*"}


@pytest.mark.covers("key policies: size", "allowed")
@pytest.mark.covers("key policies: size", "denied")
def test_a_key_policy_has_at_most_32768_bytes() -> None:
    padded = default_key_policy(A).ljust(32_768)
    assert compile_key_policy(padded).statements
    with pytest.raises(LimitExceededException):
        compile_key_policy(padded + " ")
    # Two bytes each in UTF-8.
    with pytest.raises(LimitExceededException):
        compile_key_policy(document(statement(A, Sid="\u00e9" * 16_384)).replace("\\u00e9", "\u00e9"))


def test_an_identity_policy_has_at_most_10240_characters_beside_white_space() -> None:
    length = len("".join(document(ALLOW_ALL | {"Sid": ""}).split()))
    fitting = document(ALLOW_ALL | {"Sid": "s" * (10_240 - length)})
    assert compile_identity_policy(fitting + " " * 10_000).statements
    with pytest.raises(LimitExceededException):
        compile_identity_policy(document(ALLOW_ALL | {"Sid": "s" * (10_241 - length)}))


@given(st.recursive(
    st.none() | st.booleans() | st.floats() | st.sampled_from(["Allow", "*", A, "kms:*"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["Version", "Statement", "Effect", "Principal", "AWS", "Action", "Resource", "Condition"]),
        inner, max_size=5,
    ),
))  # fmt: skip
def test_whatever_is_compiled_can_be_printed_and_whatever_is_not_is_refused(content: Any) -> None:
    text = json.dumps(content)
    try:
        compile_key_policy(text)
    except MalformedPolicyDocumentException:
        return
    assert json.loads(pretty(text)) == content
