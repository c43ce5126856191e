"""Which place `--root-key` names."""

from importlib import import_module
from pathlib import Path

from kms_server.config import Settings
from kms_server.errors import OperatorError
from kms_server.root_keys.file_place import FilePlace
from kms_server.root_keys.kms import KmsPlace
from kms_server.root_keys.operator_secret import OperatorSecret
from kms_server.root_keys.passphrase import PassphrasePlace
from kms_server.root_keys.provider import RootPlace
from kms_server.root_keys.shares import SharesPlace

_IN_FILES = ("file", "passphrase", "shares")


def place_told(settings: Settings) -> RootPlace:
    """Where the settings say that the root key is, or else the data directory's own file.

    Raises:
        OperatorError: they name no place.
    """
    return place_of(settings.root_key or f"file:{settings.root_key_file}", settings)


def place_of(spec: str, settings: Settings) -> RootPlace:
    """The place that a spec such as file:PATH names; nothing is read yet, and nobody asked.

    Raises:
        OperatorError: it names none.
    """
    kind, _, rest = spec.partition(":")
    secret = OperatorSecret(settings.root_passphrase_file, settings.root_passphrase_fd)
    if kind in _IN_FILES and rest:
        return _in_file(kind, _full(Path(rest)), settings.data_dir, secret)
    if kind == "kms":
        return KmsPlace(rest, settings.root_kms_endpoint, _full(settings.data_dir / "root.kms"))
    if kind == "pkcs11":
        return _in_token(spec, secret)
    raise OperatorError(
        "--root-key must be file:PATH, passphrase:PATH, pkcs11:URI, kms:KEY-ARN or shares:PATH"
    )


def noted(spec: str, settings: Settings) -> str:
    """A spec for a note in the data directory: what is in there has no path before `./`, so that the directory may move."""
    kind, _, rest = spec.partition(":")
    home = settings.data_dir.resolve()
    path = Path(rest).parent.resolve() / Path(rest).name
    if kind in _IN_FILES and path.is_relative_to(home):
        return f"{kind}:./{path.relative_to(home)}"
    return spec


def meant(note: str, settings: Settings) -> str:
    """The spec that such a note is of, or a spec from before all of them were whole."""
    kind, _, rest = note.partition(":")
    if kind not in _IN_FILES:
        return note
    return f"{kind}:{_full(settings.data_dir / rest if rest.startswith('./') else Path(rest))}"


def _full(path: Path) -> Path:
    """From wherever a process starts; links stay, since hosts that share a spec may have others."""
    return path.absolute()


def _in_file(kind: str, path: Path, data_dir: Path, secret: OperatorSecret) -> RootPlace:
    if kind == "file":
        return FilePlace(path, data_dir)
    if kind == "passphrase":
        return PassphrasePlace(path, data_dir, secret)
    return SharesPlace(path, secret)


def _in_token(spec: str, secret: OperatorSecret) -> RootPlace:
    """A key in a token, for which a library is needed that is installed only where it is wanted."""
    try:
        module = import_module("kms_server.root_keys.pkcs11")
    except ImportError:
        raise OperatorError(
            "--root-key pkcs11:... needs python-pkcs11: run `pip install 'kms-server[pkcs11]'`"
        ) from None
    place: RootPlace = module.Pkcs11Place(spec, secret)
    return place
