"""Session tokens: what goes in comes out, and nothing else does."""

from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.errors import PackedPolicyTooLargeException, UnrecognizedClientException
from kms_server.keyring import session_token
from kms_server.keyring.session_token import LONGEST, Kind, SessionCredentials
from kms_server.keyring.token_key import TokenKey

KEY = TokenKey(bytes(32))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
SAMPLE = SessionCredentials(
    "ASIAAAAAAAAAAAAAAAAA", "secret", Kind.ROLE, "000000000000", "AROA1", 1.5, 3_601.5, "batch-7"
)


@st.composite
def credentials(draw: st.DrawFn) -> SessionCredentials:
    tags = draw(st.dictionaries(TEXTS, TEXTS, max_size=5))
    return replace(
        SAMPLE, secret=draw(TEXTS), kind=draw(st.sampled_from(Kind)), owner=draw(st.none() | TEXTS), name=draw(TEXTS),
        expires_at=draw(st.floats(0, 1e10)), policy=draw(st.none() | TEXTS), tags=tags, transitive=tuple(tags)[:2],
        policy_arns=tuple(draw(st.lists(TEXTS, max_size=3))), source_identity=draw(st.none() | TEXTS),
        web_identity=draw(st.none() | st.dictionaries(TEXTS, TEXTS, max_size=3)),
    )  # fmt: skip


@given(credentials(), st.integers(0, 4_096))
def test_what_goes_in_comes_out(one: SessionCredentials, at_least: int) -> None:
    token = session_token.seal(one, KEY, at_least=at_least)
    assert session_token.opened(token, KEY) == one
    assert at_least <= len(token) <= LONGEST
    assert quote(token, safe="") == token


def test_each_token_differs_and_hides_what_is_in_it() -> None:
    one, other = (session_token.seal(SAMPLE, KEY) for _ in range(2))
    assert one != other
    assert "secret" not in repr(SAMPLE)


@given(st.data())
def test_an_altered_token_does_not_open(data: st.DataObject) -> None:
    token = session_token.seal(SAMPLE, KEY)
    place = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.sampled_from("AZaz09-_+/=\u00e9"))
    altered = token[:place] + character + token[place + 1 :]
    if altered != token:
        with pytest.raises(UnrecognizedClientException):
            session_token.opened(altered, KEY)


@given(st.text(max_size=100))
def test_no_text_opens(text: str) -> None:
    with pytest.raises(UnrecognizedClientException):
        session_token.opened(text, KEY)


def test_another_key_or_longer_tokens_open_nothing() -> None:
    token = session_token.seal(SAMPLE, KEY)
    for wrong, key in (
        (token, TokenKey(bytes(31) + b"\1")),
        ("A" * 10_000, KEY),
    ):
        with pytest.raises(UnrecognizedClientException):
            session_token.opened(wrong, key)


def test_what_does_not_fit_is_not_issued() -> None:
    noise = "".join(chr(0x4E00 + number * 7_919 % 20_000) for number in range(5_000))
    with pytest.raises(PackedPolicyTooLargeException):
        replace(SAMPLE, policy=noise).packed_percent()
    with pytest.raises(PackedPolicyTooLargeException):
        session_token.seal(replace(SAMPLE, web_identity={"a": noise}), KEY)


@pytest.mark.parametrize(
    ("one", "low", "high"),
    [
        (replace(SAMPLE, policy="{}"), 1, 1),
        (replace(SAMPLE, tags={"a": "b"}), 1, 1),
        (replace(SAMPLE, policy_arns=("arn:aws:iam::aws:policy/AdministratorAccess",)), 1, 2),
    ],
)
def test_how_much_is_packed(one: SessionCredentials, low: int, high: int) -> None:
    assert SAMPLE.packed_percent() is None
    percent = one.packed_percent()
    assert percent is not None
    assert low <= percent <= high


@given(st.integers(0, 10**12 - 1))
def test_an_access_key_id_tells_the_account(number: int) -> None:
    account = f"{number:012}"
    made = session_token.new_access_key_id(account)
    assert session_token.account_of(made) == account
    assert session_token.is_temporary(made)
    assert made != session_token.new_access_key_id(account)


@pytest.mark.parametrize(
    "text", ["", "AKIA" + "A" * 16, "ASIA" + "A" * 15, "ASIA" + "1" * 16, "ASIA" + "7" * 16]
)
def test_what_is_no_temporary_access_key_id(text: str) -> None:
    assert session_token.account_of(text) is None
