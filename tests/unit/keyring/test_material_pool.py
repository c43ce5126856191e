"""Fresh material: at once where it is quick to make, ahead of time where it is not, and given out once."""

import os
import random
import sys
import threading
import time
from dataclasses import dataclass, field

import pytest

from kms_server.keyring import material_pool
from kms_server.keyring.cache import WouldBlock
from kms_server.keyring.material_pool import MaterialPool, NoneReady
from kms_server.keys.specs import KEY_SPECS, KeySpec

SLOW = "RSA_4096"


@dataclass
class Counted:
    """A key type whose material takes as long as the test wants."""

    gate: threading.Event
    made: int = 0
    pause: float = 0.0
    spec: KeySpec = field(init=False)

    def generate(self) -> bytes:
        assert self.gate.wait(10)
        time.sleep(random.random() * self.pause)
        self.made += 1
        return b"%d" % self.made

    def checked(self, material: bytes) -> bytes:
        return material

    def open(self, material: bytes, key_id: str, material_id: str) -> object:
        return material


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    made = Counted(threading.Event())
    made.spec = KeySpec(SLOW, made, {}, "", is_slow_to_make=True)
    monkeypatch.setattr(material_pool, "KEY_SPECS", {SLOW: made.spec})
    return made


def until_ready(pool: MaterialPool, count: int) -> None:
    deadline = time.monotonic() + 10
    while len(pool._pools[SLOW]) < count:
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.parametrize(
    "name", ["SYMMETRIC_DEFAULT", "HMAC_512", "ECC_NIST_P521", "ML_DSA_87", "ML_KEM_1024"]
)
def test_quick_material_is_made_at_once(name: str) -> None:
    pool, spec = MaterialPool(), KEY_SPECS[name]
    assert pool.take(spec, may_block=False) != pool.take(spec, may_block=False)
    assert not pool._makers


def test_nobody_waits_who_may_not(counted: Counted) -> None:
    pool = MaterialPool(ready=2)
    with pytest.raises(NoneReady) as none:
        pool.take(counted.spec, may_block=False)
    assert none.value.spec is counted.spec
    assert isinstance(none.value, WouldBlock)
    counted.gate.set()
    until_ready(pool, 2)
    assert pool.take(counted.spec, may_block=False) == b"1"
    assert pool.take(counted.spec, may_block=False) == b"2"
    until_ready(pool, 2)
    assert counted.made == 4


def test_who_may_wait_makes_his_own(counted: Counted) -> None:
    counted.gate.set()
    pool = MaterialPool(ready=0)
    assert pool.take(counted.spec, may_block=True) == b"1"


def test_what_was_made_for_a_waiting_call_is_there_when_it_comes_back(counted: Counted) -> None:
    counted.gate.set()
    pool = MaterialPool(ready=0)
    pool.make(counted.spec)
    assert pool.take(counted.spec, may_block=False) == b"1"


def taken_by_four(pool: MaterialPool, spec: KeySpec, count: int) -> list[bytes]:
    """What four threads take at the same time, `count` pieces each."""
    taken: list[bytes] = []

    def take() -> None:
        taken.extend(pool.take(spec, may_block=True) for _ in range(count))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


def test_no_material_is_given_out_twice(counted: Counted) -> None:
    counted.gate.set()
    assert len(set(taken_by_four(MaterialPool(ready=2), counted.spec, 200))) == 800


def test_no_maker_ends_whatever_the_others_do(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(material_pool, "_MAKERS", 8)
    counted.gate.set()
    counted.pause = 0.0002
    pool = MaterialPool(ready=2)
    pool.take(counted.spec, may_block=True)
    makers = list(pool._makers)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        taken_by_four(pool, counted.spec, 500)
    finally:
        sys.setswitchinterval(interval)
    assert all(maker.is_alive() for maker in makers)


def test_real_rsa_keys_come_from_the_pool() -> None:
    pool, spec = MaterialPool(), KEY_SPECS["RSA_2048"]
    first = pool.take(spec, may_block=True)
    assert spec.type.checked(first) == first


def test_who_has_waited_for_long_makes_his_own(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(material_pool, "_PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(material_pool, "_MAKERS", 0)
    counted.gate.set()
    assert MaterialPool().take(counted.spec, may_block=True) == b"1"


def test_slow_material_is_made_when_nothing_else_runs() -> None:
    pool, spec = MaterialPool(), KEY_SPECS["RSA_2048"]
    pool.take(spec, may_block=True)
    assert pool._makers
    assert {os.sched_getscheduler(maker.native_id or 0) for maker in pool._makers} == {os.SCHED_IDLE}
