"""An S3 layer's encryption on a database of its own, with a KMS in memory."""

from types import SimpleNamespace
from typing import Any, cast

from kms_server.audit.chain import ChainKey
from kms_server.audit.ledger import Ledger
from kms_server.clock import Clock
from kms_server.iam.principal import Principal
from kms_server.keyring.keyring import Keyring
from kms_server.keyring.token_key import TokenKey
from kms_server.operations.call import Call, Services
from kms_server.operations.lifecycle import Lifecycle
from kms_server.root_keys.ring import RootKeys
from kms_server.s3.encryption.keys import Encryption
from kms_server.s3.encryption.types import Target
from kms_server.storage.database import Database
from kms_server.storage.objects import Version
from tests.root_keys import root_of
from tests.unit.s3.encryption.kms_double import REGION, KmsDouble

ROOT = Principal.root("000000000000", "AKIAROOT")
TARGET = Target("pictures", "b1", REGION, "a/cat.png", "0123456789abcdef0123456789abcdef")


class Scene:
    """What the tests of encryption work with."""

    def __init__(self, database: Database, root: RootKeys | None = None) -> None:
        self.database = database
        self.root, self.tokens = root or root_of(), TokenKey(bytes(32))
        self.clock = Clock(0.0)
        self.keyring = Keyring(database, self.root, self.tokens, self.clock, 100)
        self.ledger = Ledger(ChainKey(bytes(32)))
        self.kms = KmsDouble()
        self.services = cast(
            "Services",
            SimpleNamespace(
                database=database,
                keyring=self.keyring,
                root_key=self.root,
                token_key=self.tokens,
                clock=self.clock,
                ledger=self.ledger,
            ),
        )
        self.encryption = Encryption(self.services, self.kms)
        self.keyring.refresh(may_block=True)

    def advance(self, days: float) -> None:
        """Let time pass, and do what falls due."""
        self.clock.advance_to(self.clock.offset + days * 86_400)
        Lifecycle(self.database, self.root, self.clock, self.ledger).run_due()
        self.keyring.reread()


def call_of(principal: Principal = ROOT, *, sigv4: bool = True) -> Call:
    """A call of somebody."""
    return cast("Call", SimpleNamespace(principal=principal, account=principal.account, sigv4=sigv4))


def version_of(**fields: Any) -> Version:
    """A version of the target."""
    return Version(**{
        "number": 1, "bucket_id": TARGET.bucket_id, "key": TARGET.key, "version_id": "null",
        "object_id": TARGET.object_id, "account": "000000000000", "is_marker": False, "modified_at": 1.0, **fields,
    })  # fmt: skip
