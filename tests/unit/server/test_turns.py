"""Who gets a thread next, and who holds one up."""

from collections.abc import Callable

from kms_server.server.turns import LEAST_RATE, Pace, Turns


def beginner(begun: list[str], name: str) -> Callable[[], None]:
    return lambda: begun.append(name)


def test_the_address_with_the_fewest_running_is_next() -> None:
    turns, begun = Turns(2), list[str]()
    for name in ("a1", "a2", "a3", "a4", "b1", "b2", "c1"):
        turns.enter(name[0], beginner(begun, name))
    assert begun == ["a1", "a2"]
    assert turns.crowded
    for address in "aabac":
        turns.leave(address)
    assert begun == ["a1", "a2", "b1", "a3", "c1", "b2", "a4"]
    assert not turns.crowded
    turns.leave("b")
    turns.leave("a")
    turns.enter("a", beginner(begun, "a5"))
    assert begun[-1] == "a5"


def test_the_lag_of_a_client() -> None:
    pace = Pace()
    assert pace.lag(10.0) == 0
    pace.wait(10.0)
    assert pace.lag(13.0) == 3
    pace.go_on(14.0)
    assert pace.lag(99.0) == 4
    pace.move(3 * LEAST_RATE)
    pace.wait(100.0)
    assert pace.lag(100.5) == 1.5
    pace.go_on(101.0)
    pace.move(1_000 * LEAST_RATE)
    pace.wait(102.0)
    assert pace.lag(103.0) == 1
