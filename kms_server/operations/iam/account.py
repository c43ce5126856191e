"""The account as a whole: GetAccountSummary, ListAccountAliases."""

from sqlalchemy import Connection

from kms_server.operations.call import Answer, Call, Plane
from kms_server.operations.iam import common
from kms_server.operations.iam.common import QUOTAS
from kms_server.schemas import iam as schemas
from kms_server.schemas.fields import ListOf, MapOf, Text
from kms_server.storage import access_keys, identities, managed_policies, oidc_providers
from kms_server.storage.identities import Kind

_COUNTED = {"Users": Kind.USER, "Roles": Kind.ROLE, "Groups": Kind.GROUP}
# AWS counts these too; here there are none.
_NONE = (
    "ServerCertificates", "MFADevices", "MFADevicesInUse", "AccountMFAEnabled", "AccountPasswordPresent",
    "AccountSigningCertificatesPresent", "InstanceProfiles",
)  # fmt: skip


def get_account_summary(call: Call, connection: Connection) -> Answer:
    """How many of everything there are, and may be (AWS GetAccountSummary)."""
    common.allow(call, connection, "*")
    account = call.account
    counted = {name: identities.count(connection, account, kind) for name, kind in _COUNTED.items()}
    return {
        "SummaryMap": {
            **dict.fromkeys(_NONE, 0),
            **QUOTAS,
            **counted,
            "Policies": managed_policies.count(connection, account),
            "Providers": len(oidc_providers.of_account(connection, account)),
            "AccountAccessKeysPresent": int(access_keys.count(connection, account, None) > 0),
        }
    }


def list_account_aliases(call: Call, connection: Connection) -> Answer:
    """None: accounts have no aliases here (AWS ListAccountAliases)."""
    common.allow(call, connection, "*")
    return {"AccountAliases": [], "IsTruncated": False}


OPERATIONS = (
    common.operation(
        "GetAccountSummary", get_account_summary, Plane.READ, "Counts what is in the account.", {},
        {"SummaryMap": MapOf()}, errors=(),
    ),
    common.operation(
        "ListAccountAliases", list_account_aliases, Plane.READ, "Lists the aliases of the account: there are none.",
        schemas.place(),
        {"AccountAliases": ListOf(Text(3, 63, r"^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$"), required=True),
         **schemas.rest()},
        errors=(),
    ),
)  # fmt: skip
