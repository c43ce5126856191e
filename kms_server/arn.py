"""Amazon Resource Names: parsing and building.

Form: `arn:partition:service:region:account:resource`.
"""

import re
from typing import NamedTuple

PARTITION = "aws"

_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"([a-z]+-){2,3}[0-9]+")


class Arn(NamedTuple):
    """The six parts of an ARN; `resource` keeps whatever follows the fifth colon."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"

    @classmethod
    def parse(cls, text: str) -> "Arn | None":
        """The parsed ARN, or None when `text` does not have the six parts."""
        parts = text.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn" or not parts[1] or not parts[2] or not parts[5]:
            return None
        return cls(*parts[1:])


def is_account(text: str) -> bool:
    """Whether `text` is a twelve-digit account id."""
    return _ACCOUNT.fullmatch(text) is not None


def is_region(text: str) -> bool:
    """Whether `text` has the form of a Region name, such as `eu-central-1`."""
    return len(text) <= 32 and _REGION.fullmatch(text) is not None


def key_arn(region: str, account: str, key_id: str) -> str:
    """The ARN of a KMS key."""
    return f"arn:{PARTITION}:kms:{region}:{account}:key/{key_id}"


def alias_arn(region: str, account: str, alias_name: str) -> str:
    """The ARN of an alias; `alias_name` includes the prefix `alias/`."""
    return f"arn:{PARTITION}:kms:{region}:{account}:{alias_name}"


def trail_arn(region: str, account: str, name: str) -> str:
    """The ARN of a trail."""
    return f"arn:{PARTITION}:cloudtrail:{region}:{account}:trail/{name}"


def quota_arn(region: str, account: str, service: str, code: str) -> str:
    """The ARN of a quota; AWS's defaults are of no account."""
    return f"arn:{PARTITION}:servicequotas:{region}:{account}:{service}/{code}"


def root_arn(account: str) -> str:
    """The ARN of an account's root."""
    return f"arn:{PARTITION}:iam::{account}:root"


def user_arn(account: str, name: str) -> str:
    """The ARN of an IAM user."""
    return f"arn:{PARTITION}:iam::{account}:user/{name}"


def iam_arn(account: str, kind: str, path: str, name: str) -> str:
    """The ARN of a user, role, group or policy; `path` begins and ends with a slash."""
    return f"arn:{PARTITION}:iam::{account}:{kind}{path}{name}"


def session_arn(account: str, role_name: str, session_name: str) -> str:
    """The ARN of a role's session."""
    return f"arn:{PARTITION}:sts::{account}:assumed-role/{role_name}/{session_name}"


def oidc_provider_arn(account: str, url: str) -> str:
    """The ARN of an OpenID Connect provider; `url` is without scheme."""
    return f"arn:{PARTITION}:iam::{account}:oidc-provider/{url}"


def federated_user_arn(account: str, name: str) -> str:
    """The ARN of a federated user."""
    return f"arn:{PARTITION}:sts::{account}:federated-user/{name}"
