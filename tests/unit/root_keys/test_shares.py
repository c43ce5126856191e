"""A root key under shares: enough of one set open it, and every slip, mix-up and forgery is told."""

from pathlib import Path

import pytest

from kms_server.errors import OperatorError
from kms_server.root_keys import shares as root_shares
from kms_server.root_keys.operator_secret import OperatorSecret
from kms_server.root_keys.share import Share
from kms_server.root_keys.shares import SharesPlace


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "root.shares"


def opened(path: Path, *shares: str) -> SharesPlace:
    source = SharesPlace(path, OperatorSecret())
    for share in shares:
        source.give(share)
    return source


def test_any_threshold_opens_it_in_any_order(path: Path) -> None:
    one, two, three, four = root_shares.split(path, shares=4, threshold=3)
    first = opened(path, one, two, three)
    assert not first.is_sealed
    for some in ((four, one, two), (three, four, one), (two, two, four, three)):
        source = opened(path, *some)
        assert not source.is_sealed
        assert source.load().fingerprint == first.load().fingerprint
    still = opened(path, one, one, two)
    assert (still.is_sealed, still.given, still.threshold) == (True, 2, 3)


def test_the_file_holds_no_share(path: Path) -> None:
    shares = root_shares.split(path, shares=3, threshold=2)
    content = path.read_text()
    assert all(Share.decode(share).part.hex() not in content for share in shares)
    with pytest.raises(OperatorError, match="cannot create"):
        root_shares.split(path, shares=3, threshold=2)
    assert path.read_text() == content


def test_every_slip_of_the_pen_is_noticed(path: Path) -> None:
    (share, _) = root_shares.split(path, shares=2, threshold=2)
    source = opened(path, share.lower().replace("-", " "))
    assert source.given == 1
    for position in range(len(share)):
        if share[position] == "-":
            continue
        for wrong in ("A", "7"):
            if share[position] != wrong:
                with pytest.raises(OperatorError, match="no share"):
                    source.give(share[:position] + wrong + share[position + 1 :])
        with pytest.raises(OperatorError, match="no share"):
            source.give(share[:position] + share[position + 1 :])
    assert source.given == 1


@pytest.mark.parametrize(
    "text", ["", "KS1", "KS1-", "KS1-é", "KS2-AAAA", "KS1-" + "A" * 69, "KS1-1", "\0" * 50]
)
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(OperatorError, match="no share"):
        Share.decode(text)


def test_shares_of_another_set_are_not_taken(path: Path, tmp_path: Path) -> None:
    one, _ = root_shares.split(path, shares=2, threshold=2)
    other, _ = root_shares.split(tmp_path / "other", shares=2, threshold=2)
    source = opened(path, one)
    with pytest.raises(OperatorError, match="another set"):
        source.give(other)
    fewer = Share.decode(one)._replace(threshold=1).encode()
    with pytest.raises(OperatorError, match="another set"):
        source.give(fewer)
    assert source.given == 1


def test_a_forged_share_opens_nothing_and_all_begins_anew(path: Path) -> None:
    one, two = root_shares.split(path, shares=2, threshold=2)
    forged = Share.decode(two)._replace(part=bytes(32)).encode()
    source = opened(path, one)
    with pytest.raises(OperatorError, match="begin anew") as refused:
        source.give(forged)
    assert one not in str(refused.value)
    assert (source.is_sealed, source.given) == (True, 0)
    source.give(two)
    source.give(one)
    assert not source.is_sealed


@pytest.mark.parametrize(
    "parameters", ["shamir,00000000,1,2", "shamir,00000000,3,2", "shamir,00000000,2,256", "x"]
)
def test_a_forged_file_is_refused(path: Path, parameters: str) -> None:
    root_shares.split(path, shares=2, threshold=2)
    words = path.read_text().split(" ")
    words[4] = parameters
    path.write_text(" ".join(words))
    with pytest.raises(OperatorError, match="is not a sealed root key file"):
        opened(path).check()


def test_shares_in_a_file_are_one_line(path: Path, tmp_path: Path) -> None:
    shares = root_shares.split(path, shares=3, threshold=2)
    given = tmp_path / "shares"
    given.touch(mode=0o600)
    given.write_text(", ".join(shares[1:]) + "\n")
    source = SharesPlace(path, OperatorSecret(given))
    source.check()
    assert not source.is_sealed
    given.write_text(shares[0])
    with pytest.raises(OperatorError, match="1 shares were given, and 2 are needed"):
        SharesPlace(path, OperatorSecret(given)).check()


def test_without_the_file_there_is_no_key(path: Path) -> None:
    source = SharesPlace(path, OperatorSecret())
    with pytest.raises(OperatorError, match="cannot read the sealed root key"):
        source.check()
    with pytest.raises(OperatorError, match="root split"):
        source.create()
    with pytest.raises(OperatorError, match="--threshold"):
        root_shares.split(path, shares=2, threshold=3)


def test_a_share_does_not_show_itself() -> None:
    assert "5151" not in repr(Share(b"abcd", 1, 2, b"Q" * 32))
    assert "QQQ" not in repr(Share(b"abcd", 1, 2, b"Q" * 32))
