"""A root key in a token: it never leaves, a wrong PIN is tried once, and a token that comes back is used again."""

import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from kms_server.errors import KMSInternalException, OperatorError
from kms_server.root_keys.operator_secret import OperatorSecret
from kms_server.root_keys.pkcs11_uri import parse
from tests.forks import forked
from tests.softhsm import PIN, Token, make_token

pkcs11 = pytest.importorskip("pkcs11", reason="python-pkcs11 is not installed")
MODULE = "module-path=/lib/x.so"


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Token:
    return make_token(tmp_path, monkeypatch)


def source(uri: str, secret: OperatorSecret | None = None) -> Any:
    from kms_server.root_keys.pkcs11 import Pkcs11Place

    return Pkcs11Place(uri, secret or OperatorSecret())


def log_out() -> Any:
    from kms_server.root_keys.pkcs11_libraries import LIBRARIES

    LIBRARIES.finalise()
    return LIBRARIES


def session(token: Token) -> Any:
    return log_out().load(token.module).get_token(token_label="test").open(rw=True, user_pin=PIN)


def generate(token: Token, **attributes: Any) -> None:
    template = {pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False}
    wanted = {
        "label": "root",
        "id": b"\1",
        "store": True,
        "capabilities": pkcs11.MechanismFlag.SIGN,
        **attributes,
    }
    key_type, bits = wanted.pop("key_type", pkcs11.KeyType.GENERIC_SECRET), wanted.pop("bits", 256)
    session(token).generate_key(key_type, bits, template=template | wanted.pop("template", {}), **wanted)


def test_the_key_never_leaves_the_token(token: Token) -> None:
    source(token.uri("root")).create()
    key = session(token).get_key(object_class=pkcs11.ObjectClass.SECRET_KEY, label="root")
    for name, expected in {
        "SENSITIVE": True, "EXTRACTABLE": False, "NEVER_EXTRACTABLE": True, "ALWAYS_SENSITIVE": True, "PRIVATE": True,
        "LOCAL": True, "TOKEN": True,
    }.items():  # fmt: skip
        assert key[getattr(pkcs11.Attribute, name)] is expected, name
    with pytest.raises(pkcs11.exceptions.AttributeSensitive):
        key[pkcs11.Attribute.VALUE]


def test_a_second_key_of_the_name_is_not_made(token: Token) -> None:
    made = source(token.uri("root")).create()
    with pytest.raises(OperatorError, match="already"):
        source(token.uri("root")).create()
    assert source(token.uri("root")).load().fingerprint == made.fingerprint


def test_the_id_of_a_key_is_its_version(token: Token) -> None:
    generate(token)
    generate(token, id=b"\1\0")
    assert source(token.uri("root;id=%01%00")).load().version == 256
    assert source(token.uri("root;id=%01")).load().version == 1
    with pytest.raises(OperatorError, match="several keys 'root'"):
        source(token.uri("root")).load()
    with pytest.raises(OperatorError, match="no key 'root'"):
        source(token.uri("root;id=%02")).load()


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"template": {pkcs11.Attribute.EXTRACTABLE: True}}, "can leave its token"),
        ({"key_type": pkcs11.KeyType.AES}, "another type"),
        ({"bits": 128}, "less than 256 bits"),
        ({"id": b""}, "is no version"),
    ],
    ids=["extractable", "type", "length", "id"],
)
def test_an_unfit_key_is_refused(token: Token, attributes: dict[str, Any], said: str) -> None:
    generate(token, **attributes)
    with pytest.raises(OperatorError, match=said):
        source(token.uri("root")).check()


def test_a_wrong_pin_is_tried_once(token: Token, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.touch(mode=0o600)
    wrong.write_text("wrong\n")
    refusing = source(token.uri("root", pin=wrong))
    for _ in range(2):
        with pytest.raises(OperatorError, match="refuses the PIN"):
            refusing.check()
        # Were the PIN sent again, this right one would be refused: no PIN is read now.
        wrong.write_text(f"{PIN}\n")
    source(token.uri("root")).check()


def test_a_token_that_comes_back_is_used_again(
    token: Token, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = source(token.uri("root")).create()
    wrapped = root.wrap(b"secret", b"binding")
    (tmp_path / "tokens").rename(tmp_path / "away")
    (tmp_path / "tokens").mkdir()
    log_out()
    with pytest.raises(KMSInternalException):
        root.unwrap(wrapped, b"binding")
    assert "does not answer" in caplog.text
    (tmp_path / "tokens").rmdir()
    (tmp_path / "away").rename(tmp_path / "tokens")
    assert root.unwrap(wrapped, b"binding") == b"secret"


def test_processes_that_log_in_together_all_find_the_key(token: Token) -> None:
    root = source(token.uri("root")).create()
    wrapped = root.wrap(b"secret", b"binding")

    def use() -> None:
        for _ in range(6):
            log_out()
            assert root.unwrap(wrapped, b"binding") == b"secret"

    with ExitStack() as stack:
        children = [stack.enter_context(forked(use)) for _ in range(4)]
        use()
    assert [child.code for child in children] == [0] * 4


def test_a_process_that_is_told_to_end_as_it_logs_in_leaves_the_token_whole(token: Token) -> None:
    root = source(token.uri("root"))
    made = root.create()

    def log_in_again_and_again() -> None:
        while True:
            log_out()
            root.load()
            os.write(begun, b"1")

    for milliseconds in range(25):
        under_way, begun = os.pipe()
        with forked(log_in_again_and_again) as child:
            os.close(begun)
            assert os.read(under_way, 1)
            time.sleep(milliseconds / 4_000)  # whenever it hits
            os.kill(child.pid, signal.SIGTERM)
        assert child.code == -signal.SIGTERM
        os.close(under_way)
    assert source(token.uri("root")).load().fingerprint == made.fingerprint


def test_another_key_in_its_place_is_not_used(token: Token) -> None:
    root = source(token.uri("root")).create()
    session(token).get_key(object_class=pkcs11.ObjectClass.SECRET_KEY, label="root").destroy()
    generate(token)
    with pytest.raises(KMSInternalException):
        root.wrap(b"secret", b"binding")


def test_a_typed_pin_is_asked_for_once(token: Token) -> None:
    made = source(token.uri("root")).create()
    asked = source(token.uri("root").partition("&")[0], OperatorSecret(token.pin))
    kept = token.pin.rename(token.pin.with_name("away")) if asked.exists() else None
    assert asked.load().fingerprint == made.fingerprint
    assert kept is not None


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("pkcs11:", "needs token"), ("pkcs11:object=o?module-path=/x", "needs token"),
        ("pkcs11:token=t?module-path=/x", "needs token"), ("pkcs11:token=t;object=o", "needs token"),
        (f"pkcs11:token=t;object=o?{MODULE}&pin-value=1234", "a PIN"), (f"pkcs11:token=t;token=t;object=o?{MODULE}", "'token'"),
        (f"pkcs11:token=t;object=o;slot-id=1?{MODULE}", "'slot-id'"), (f"pkcs11:token=t;object=o;type=private?{MODULE}", "secret"),
        ("pkcs11:token=t;object=o?module-path=x.so", "absolute"), (f"pkcs11:token=%ff;object=o?{MODULE}", "UTF-8"),
        (f"pkcs11:token=t%;object=o?{MODULE}", "'token'"), (f"pkcs11:token=t t;object=o?{MODULE}", "'token'"),
        (f"pkcs11:token=t;object=o?{MODULE}", "no PKCS#11 library"),
    ],
    ids=range(13),
)  # fmt: skip
def test_what_names_no_key_is_refused(uri: str, said: str) -> None:
    with pytest.raises(OperatorError, match=said) as refused:
        source(uri)
    assert "1234" not in str(refused.value)


def test_names_are_percent_encoded() -> None:
    read = parse(
        "pkcs11:serial=00%2f;object=a%3Bb%20c;id=%01;type=secret-key?pin-source=file:/run/p&module-path=/x"
    )
    assert (read.serial, read.object, read.id, read.token) == (b"00/", "a;b c", b"\1", None)
    assert (read.module, read.pin_source) == (Path("/x"), Path("/run/p"))


def test_a_library_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.so").write_text("no library")
    with pytest.raises(OperatorError, match="cannot use the token"):
        source(f"pkcs11:token=t;object=o?module-path={tmp_path}/x.so", OperatorSecret(tmp_path)).check()
