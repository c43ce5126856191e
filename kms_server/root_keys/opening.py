"""Which root key `--root-key` names."""

from importlib import import_module
from pathlib import Path

from kms_server.config import Settings
from kms_server.errors import OperatorError
from kms_server.root_keys.file import FileSource
from kms_server.root_keys.kms import KmsSource
from kms_server.root_keys.operator_secret import OperatorSecret
from kms_server.root_keys.passphrase import PassphraseSource
from kms_server.root_keys.provider import RootKeySource
from kms_server.root_keys.shares import SharesSource


def root_key_source(settings: Settings, spec: str | None = None) -> RootKeySource:
    """Where the root key is that `spec` names, or else the settings, or else the data directory's own.

    Nothing is read yet, and nobody asked.

    Raises:
        OperatorError: it names none.
    """
    spec = settings.root_key if spec is None else spec
    if spec is None:
        return FileSource(settings.root_key_file, settings.data_dir)
    kind, _, rest = spec.partition(":")
    secret = OperatorSecret(settings.root_passphrase_file, settings.root_passphrase_fd)
    if kind == "file" and rest:
        return FileSource(Path(rest), settings.data_dir)
    if kind == "passphrase" and rest:
        return PassphraseSource(Path(rest), settings.data_dir, secret)
    if kind == "shares" and rest:
        return SharesSource(Path(rest), secret)
    if kind == "kms":
        return KmsSource(rest, settings.root_kms_endpoint, settings.data_dir / "root.kms")
    if kind == "pkcs11":
        return _in_token(spec, secret)
    raise OperatorError(
        "--root-key must be file:PATH, passphrase:PATH, pkcs11:URI, kms:KEY-ARN or shares:PATH"
    )


def _in_token(spec: str, secret: OperatorSecret) -> RootKeySource:
    """A key in a token, for which a library is needed that is installed only where it is wanted."""
    try:
        module = import_module("kms_server.root_keys.pkcs11")
    except ImportError:
        raise OperatorError(
            "--root-key pkcs11:... needs python-pkcs11: run `pip install 'kms-server[pkcs11]'`"
        ) from None
    source: RootKeySource = module.Pkcs11Source(spec, secret)
    return source
