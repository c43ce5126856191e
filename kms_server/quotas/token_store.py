"""Token buckets that hosts share, in Valkey or Redis, on the store's clock.

A bucket is a pair of doubles: when it was last taken from, and how far its TAT was ahead then, in microseconds. Both stay
small enough to be exact: a TAT of its own would lose its fractions to the size of an epoch time. A key goes when its bucket
is full again, so the store does not grow with the number of buckets ever seen.
"""

from collections.abc import Sequence
from struct import Struct
from urllib.parse import parse_qs, urlsplit

import orjson
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from kms_server.errors import OperatorError
from kms_server.quotas.buckets import TICKS, Bucket

_SCHEMES = ("redis", "rediss", "unix")
_OPTIONS = {"db", "username", "password"}  # and those of TLS
_PREFIX = "{kms-server}:"  # the braces keep all keys in one slot of a cluster
_SINCE, _HOSTS = f"{_PREFIX}since", f"{_PREFIX}hosts"
_TICKS_PER_MICROSECOND = TICKS * 1_000
HOST_SECONDS = 10  # for which a host is remembered that says nothing
_PAIR = Struct("<dd")

# KEYS: since when the store counts, then the buckets. ARGV: {buckets: [key, cost, room, ahead], calls: [buckets]}.
# In its first second the store lets no burst pass: what took tokens before it, or without it, may have had one.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local since = tonumber(redis.call('GET', KEYS[1]))
if not since or since > now then
  since = now
  redis.call('SET', KEYS[1], string.format('%.0f', now))
end
local young = now - since < 1000000
local asked = cjson.decode(ARGV[1])
local ahead = {}
for index = 2, #KEYS do
  local kept = redis.call('GET', KEYS[index])
  if kept then
    local last, was = struct.unpack('dd', kept)
    ahead[index] = math.max(0, was - math.max(0, now - last))
  else
    ahead[index] = 0
  end
end
local answers, changed = {}, {}
for number, wanted in ipairs(asked.calls) do
  local before = {}
  local passes = true
  for _, at in ipairs(wanted) do
    local key, cost, room, most = unpack(asked.buckets[at])
    local is = ahead[key]
    if young then
      is = math.max(is, since + room - now)
    end
    if is > room then
      ahead[key] = math.min(ahead[key], most)
      changed[key] = true
      passes = false
      break
    end
    before[#before + 1] = {key, ahead[key]}
    ahead[key] = is + cost
    changed[key] = true
  end
  if not passes then
    for place = #before, 1, -1 do
      ahead[before[place][1]] = before[place][2]
    end
  end
  answers[number] = passes and '1' or '0'
end
for index in pairs(changed) do
  redis.call('SET', KEYS[index], struct.pack('dd', now, ahead[index]), 'PX', math.ceil(ahead[index] / 1000) + 1)
end
return {string.format('%.0f', now), table.concat(answers)}
"""

_BEAT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]) * 1000000)
if ARGV[3] == '1' then
  redis.call('SET', KEYS[2], string.format('%.0f', now))
end
return redis.call('ZCARD', KEYS[1])
"""


class StoreLost(Exception):
    """The store does not answer; `str` says why."""


class TokenStore:
    """The store at `url`; `host` names this host among all that share it, `patience` is in seconds."""

    def __init__(self, url: str, host: str, patience: float) -> None:
        self.place = place_of(url)
        self._host = host
        self._redis = redis.Redis.from_url(
            url, socket_timeout=patience, socket_connect_timeout=patience, retry=Retry(NoBackoff(), 0),
            client_name="kms-server",
        )  # fmt: skip
        self._take = self._redis.register_script(_TAKE)
        self._beat = self._redis.register_script(_BEAT)

    def take(self, calls: Sequence[Sequence[Bucket]]) -> list[int]:
        """What `Buckets.take` answers, for each of the calls in turn: all are made at one time, in microseconds of the store.

        Raises:
            StoreLost: it is not known whether any token was taken.
        """
        keys: dict[int, int] = {}
        buckets: dict[Bucket, int] = {}
        wanted = []
        for call in calls:
            for bucket in call:
                keys.setdefault(bucket.tag, len(keys) + 2)
                buckets.setdefault(bucket, len(buckets) + 1)
            wanted.append([buckets[bucket] for bucket in call])
        rows = [[keys[one.tag], *_microseconds(one.cost, one.room, one.ahead)] for one in buckets]
        names = [_SINCE, *map(_name, keys)]
        try:
            now, answers = self._take(names, [orjson.dumps({"buckets": rows, "calls": wanted})])
        except Exception as error:  # noqa: BLE001 - the client has errors beside its own, of names that cannot be looked up
            raise StoreLost(_why(error)) from None
        at = int(now) * 1_000
        return [at if answer == b"1"[0] else -at for answer in answers]

    def levels(self, buckets: Sequence[Bucket]) -> list[float]:
        """What `Buckets.levels` answers.

        Raises:
            StoreLost: it does not answer.
        """
        names = [_name(bucket.tag) for bucket in buckets]
        try:
            with self._redis.pipeline(transaction=False) as asked:
                asked.time()
                for name in names:
                    asked.get(name)
                (seconds, rest), *kept = asked.execute()
        except Exception as error:  # noqa: BLE001 - as above
            raise StoreLost(_why(error)) from None
        now = seconds * 1_000_000 + rest
        return [_level(bucket, one, now) for bucket, one in zip(buckets, kept, strict=True)]

    def beat(self, *, healed: bool) -> int:
        """Say that this host is there, and whether it limited by itself until now; how many hosts there are.

        Raises:
            StoreLost: it does not answer.
        """
        try:
            return int(self._beat([_HOSTS, _SINCE], [self._host, HOST_SECONDS, int(healed)]))
        except Exception as error:  # noqa: BLE001 - as above
            raise StoreLost(_why(error)) from None

    def time(self) -> float:
        """The store's time in epoch seconds.

        Raises:
            StoreLost: it does not answer.
        """
        try:
            seconds, microseconds = self._redis.time()
        except Exception as error:  # noqa: BLE001 - as above
            raise StoreLost(_why(error)) from None
        return float(seconds + microseconds / 1_000_000)

    def close(self) -> None:
        """Let the connections go."""
        self._redis.close()


def place_of(url: str) -> str:
    """Where a store is, without its password.

    Raises:
        OperatorError: it is no URL of a store.
    """
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        redis.ConnectionPool.from_url(url).make_connection()
    except (TypeError, ValueError, redis.RedisError):
        parts, port = urlsplit(""), ""
    # Of a password with a slash or a question mark the rest would stand behind the host, and be shown.
    known = all(
        name in _OPTIONS or name.startswith("ssl_") for name in parse_qs(parts.query, keep_blank_values=True)
    )
    numbered = parts.scheme == "unix" or not parts.path.strip("/") or parts.path[1:].isdecimal()
    if parts.scheme not in _SCHEMES or not (parts.hostname or parts.path) or not (known and numbered):
        raise OperatorError(
            "--quota-url must be redis://HOST:PORT/NUMBER, rediss://... with TLS, or unix:///PATH"
        )
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{parts.path}"


def _name(tag: int) -> str:
    return f"{_PREFIX}{tag:016x}"


def _level(bucket: Bucket, kept: bytes | None, now: int) -> float:
    """How much of a bucket's burst is used, from the pair of doubles that the store keeps."""
    last, was = _PAIR.unpack(kept) if kept else (now, 0.0)
    used: float = (was - max(0.0, now - last)) * _TICKS_PER_MICROSECOND / bucket.ahead
    return min(max(used, 0.0), 1.0)


def _microseconds(*ticks: int) -> list[float]:
    return [one / _TICKS_PER_MICROSECOND for one in ticks]


def _why(error: Exception) -> str:
    """The kind of failure: its text may quote the URL."""
    return "it does not answer in time" if isinstance(error, redis.TimeoutError) else type(error).__name__
