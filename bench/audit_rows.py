"""Rows of an audit log as a busy server writes them, with values of every attribute that are dense and that are rare."""

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from random import Random

from msgspec import structs

from kms_server.audit import event_id
from kms_server.audit.heading import Heading
from kms_server.audit.record import Event, Row, to_row

ACCOUNT, REGION = "000000000000", "us-east-1"
_OTHER = "111122223333"
_DAYS = 80
RARE_ROWS = 20  # of each log, however long it is
_KEYS, _USERS = 2_000, 300
_SHAPES = 20_000  # records that differ in more than their id
_CALLS = ("Decrypt", "Decrypt", "Decrypt", "GenerateDataKey", "GenerateDataKey", "Encrypt")
_AGENT = "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux#6.8 md/arch#x86_64 lang/python#3.12.1 cfg/retry-mode#standard"
_TLS = {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256", "clientProvidedHostHeader": "kms.example:443"}  # fmt: skip
_ROLE = f"arn:aws:iam::{ACCOUNT}:role/rare"


def key(number: int) -> str:
    """The ARN of a key; 0 and 1 are of the account that asks."""
    account = _OTHER if number % 4 == 3 else ACCOUNT
    return f"arn:aws:kms:{REGION}:{account}:key/{number:08x}-5c1b-4a6e-9d7f-2b8e0c4d6a1f"


# Of each attribute a value of many rows, of RARE_ROWS and of none, where there are such.
VALUES: dict[str, tuple[str | None, str | None, str | None]] = {
    "EventId": (None, None, event_id.floor(time.time() - _DAYS * 43_200)),
    "EventName": ("Decrypt", "AssumeRole", "DeleteAlias"),
    "ReadOnly": ("true", "false", None),
    "Username": ("user-1", "rare", "nobody"),
    "ResourceType": ("AWS::KMS::Key", "AWS::IAM::Role", "AWS::CloudTrail::Trail"),
    "ResourceName": (key(1), _ROLE, key(_KEYS)),
    "EventSource": ("kms.amazonaws.com", "sts.amazonaws.com", "s3.amazonaws.com"),
    "AccessKeyId": ("AKIAQ7EXAMPLEKEY0001", "AKIAQ7EXAMPLERARE000", "AKIAQ7EXAMPLENONE000"),
}


def rows(count: int) -> Iterator[Row]:
    """So many rows, oldest first, spread over 80 days up to now."""
    begin, step = time.time() - _DAYS * 86_400, _DAYS * 86_400 / count
    chosen = Random(count)
    plain = cycle([_plain(chosen, begin) for _ in range(_SHAPES)])
    rare = _rare(begin)
    every = count // RARE_ROWS
    for number in range(count):
        shape = rare if number % every == every // 2 else next(plain)
        fresh = event_id.new(begin + number * step)
        yield shape._replace(event_id=fresh, record=shape.record.replace(shape.event_id, fresh))


def _plain(chosen: Random, when: float) -> Row:
    # A few keys and users do most of the work.
    arn = key(int(_KEYS * chosen.random() ** 4))
    account = arn.split(":")[4]
    number = int(_USERS * chosen.random() ** 2)
    name, bucket = chosen.choice(_CALLS), f"bucket-{number}"
    parameters = {
        "keyId": arn, "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "encryptionContext": {"aws:s3:arn": f"arn:aws:s3:::{bucket}/reports/{chosen.randrange(10**9)}.parquet"},
    }  # fmt: skip
    event = _event(when, account, name, f"user-{number}", f"AKIAQ7EXAMPLEKEY{number:04}", ("AWS::KMS::Key", arn))  # fmt: skip
    return to_row(
        structs.replace(event, request_parameters=parameters, additional={"keyMaterialId": "5d" * 32})
    )


def _rare(when: float) -> Row:
    event = _event(when, ACCOUNT, "AssumeRole", "rare", "AKIAQ7EXAMPLERARE000", ("AWS::IAM::Role", _ROLE))
    return to_row(
        structs.replace(event, heading=replace(event.heading, source="sts.amazonaws.com", read_only=False))
    )


def _event(
    when: float, account: str, name: str, user: str, access_key: str, resource: tuple[str, str]
) -> Event:
    identity = {
        "type": "IAMUser", "principalId": "AIDAQ7EXAMPLE00000001", "arn": f"arn:aws:iam::{account}:user/{user}",
        "accountId": account, "accessKeyId": access_key, "userName": user,
    }  # fmt: skip
    heading = Heading(
        source="kms.amazonaws.com", name=name, account=account, region=REGION, identity=identity, username=user,
        access_key_id=access_key, source_ip="10.1.2.3", user_agent=_AGENT, read_only=True, event_type="AwsApiCall",
        tls=_TLS,
    )  # fmt: skip
    return Event(
        heading, event_id.new(when), when, None, None, (resource,), request_id=event_id.new_request_id()
    )
