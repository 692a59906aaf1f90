"""The cache: entries in Redis, fenced by the catalogue's version. Never wrong, at most absent.

Every write transaction raises the one version of the catalogue in MySQL, so that a version names exactly one state
of the data. Redis holds the newest version that was published and, with each entry, the version it was read at; an
entry is a hit only while the two are equal.

- A miss reads the version and the data in one snapshot and fills in both. A fill carries the epoch under which its
  lookup ran: whenever Redis stops knowing the version (empty after a restart, or forgotten, see below) a new epoch
  begins, and what was read before that, perhaps before a write that was published meanwhile, is turned away.
- A write announces an intent with a deadline, commits, publishes its version (which takes the intent back), and
  only then is acknowledged. When its writer died between commit and publication, the deadline passes, and the next
  reader makes Redis forget the version: stale for at most `INTENT_MS`. The intent of a slow writer, which may still
  commit, has a new deadline then, up to `INTENT_LIFE_MS` after its announcement.
- A write that cannot be published is acknowledged only when its intent's deadline has passed, so that every reader
  from then on finds it overdue, and is published later all the same. Only where Redis was out of reach from before
  the announcement on, and comes back for a reader who never missed it, can that reader be misled, until the
  publication that is tried again and again gets through.
- A process that failed to reach Redis makes it forget the version when it is back: it may have slept through writes.
"""

import secrets
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shop_api.observability import CACHE_ERRORS
from shop_api.settings import RedisSettings

STATE, INTENTS, ENTRY = "shop:version", "shop:intents", "shop:entry:"
INTENT_MS = 1000
INTENT_LIFE_MS = 60_000
FRESH_MS = 3600 * 1000
KEEP_MS = 24 * FRESH_MS

T = TypeVar("T")

_NOW = "local time = redis.call('TIME') local now = time[1] * 1000 + math.floor(time[2] / 1000)\n"

_LOOKUP = (
    _NOW
    + """
local overdue = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)
if #overdue > 0 or ARGV[2] == '1' or redis.call('HEXISTS', KEYS[1], 'epoch') == 0 then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'epoch', ARGV[1])
end
for _, token in ipairs(overdue) do
  local born = tonumber(string.match(token, '^%d+')) or 0
  if now - born > tonumber(ARGV[4]) then
    redis.call('ZREM', KEYS[2], token)
  else
    redis.call('ZADD', KEYS[2], now + ARGV[3], token)
  end
end
local state = redis.call('HMGET', KEYS[1], 'epoch', 'number')
local entry = redis.pcall('GET', KEYS[3])
return {now, state[1], tonumber(state[2]) or -1, type(entry) == 'string' and entry or ''}
"""
)

_FILL = """
local state = redis.call('HMGET', KEYS[1], 'epoch', 'number')
local known = tonumber(state[2]) or -1
local version = tonumber(ARGV[2])
if state[1] ~= ARGV[1] or version < known then return 0 end
if version > known then redis.call('HSET', KEYS[1], 'number', ARGV[2]) end
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
return 1
"""

_ANNOUNCE = _NOW + "redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])"

# Where the version is not known, a fill under way may have read before this write: a new epoch turns it away.
_PUBLISH = """
local known = tonumber(redis.call('HGET', KEYS[1], 'number'))
if not known then
  redis.call('HSET', KEYS[1], 'epoch', ARGV[2])
elseif tonumber(ARGV[1]) > known then
  redis.call('HSET', KEYS[1], 'number', ARGV[1])
end
for token = 3, #ARGV do redis.call('ZREM', KEYS[2], ARGV[token]) end
"""


class Entry(NamedTuple):
    """An answer that was given before."""

    version: int
    filled_ms: int
    status: int
    body: bytes

    def pack(self) -> bytes:
        """Return the bytes that Redis keeps."""
        return b"1 %d %d %d %d\n%b" % (*self[:3], zlib.crc32(self.body), self.body)

    @classmethod
    def unpack(cls, raw: bytes) -> "Entry | None":
        """Return the entry in these bytes, None when they hold none."""
        header, _, body = raw.partition(b"\n")
        try:
            form, version, filled_ms, status, checksum = (int(part) for part in header.split(b" "))
        except ValueError:
            return None
        valid = form == 1 and status in (200, 404) and checksum == zlib.crc32(body)
        return cls(version, filled_ms, status, body) if valid else None


@dataclass(frozen=True)
class Lookup:
    """What the cache knows about a key.

    Attributes:
        reached: whether Redis answered.
        current: whether `entry` is what MySQL would answer.
        entry: the last known answer.
        age_ms: the age of `entry`.
        epoch: to be handed to `fill`.
        now_ms: Redis' time.
    """

    reached: bool = False
    current: bool = False
    entry: Entry | None = None
    age_ms: int = 0
    epoch: bytes = b""
    now_ms: int = 0


@dataclass(frozen=True)
class Intent:
    """The announcement of a write.

    Attributes:
        token: its name in Redis.
        lapses: when its deadline has passed for sure, on this process' monotonic clock; 0 when Redis may not know it.
    """

    token: str
    lapses: float


class Breaker:
    """Keeps a dead service from costing every request its timeout."""

    def __init__(self, failures: int = 2, pause: float = 1.0) -> None:
        """Begin closed.

        Args:
            failures: how many in a row open it.
            pause: seconds until one call may try again.
        """
        self._lock = threading.Lock()
        self._limit = failures
        self._pause = pause
        self._failures = 0
        self._retry_at = 0.0

    def allows(self) -> bool:
        """Tell whether to try; when it is open, one caller in each pause may."""
        with self._lock:
            if self._failures < self._limit:
                return True
            now = time.monotonic()
            if now < self._retry_at:
                return False
            self._retry_at = now + self._pause
            return True

    def record(self, success: bool) -> None:
        """Take note of how a call went."""
        with self._lock:
            self._failures = 0 if success else self._failures + 1
            self._retry_at = time.monotonic() + self._pause


def make_client(settings: RedisSettings) -> redis.Redis:
    """Make the client; it connects at first use, so it may be made before a fork."""
    seconds = settings.redis_timeout_ms / 1000
    return redis.Redis(
        host=settings.redis_host,
        port=settings.redis_port,
        password=settings.redis_password.get_secret_value(),
        socket_connect_timeout=seconds,
        socket_timeout=seconds,
        # A pooled connection may have died with the last Redis; a timeout is never waited for twice.
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )


class Cache:
    """The protocol above on one Redis."""

    def __init__(self, client: redis.Redis) -> None:
        """Register the scripts; Redis is not asked yet.

        Args:
            client: made by `make_client`.
        """
        self.client = client
        self._breaker = Breaker()
        self._doubt = False
        self._lookup = client.register_script(_LOOKUP)
        self._fill = client.register_script(_FILL)
        self._announce = client.register_script(_ANNOUNCE)
        self._publish = client.register_script(_PUBLISH)

    def _call(self, call: Callable[[], T]) -> T | None:
        try:
            result = call()
        except redis.RedisError as error:
            CACHE_ERRORS.inc()
            self._doubt = self._doubt or not isinstance(error, redis.ResponseError)
            self._breaker.record(success=False)
            return None
        self._breaker.record(success=True)
        return result

    def _done(self, call: Callable[[], object]) -> bool:
        return self._call(lambda: (call(),)) is not None

    def lookup(self, key: str) -> Lookup:
        """Ask for the answer kept under a key."""
        if not self._breaker.allows():
            return Lookup()
        doubt = self._doubt
        arguments: list[str | int] = [secrets.token_hex(8), int(doubt), INTENT_MS, INTENT_LIFE_MS]
        reply = self._call(lambda: self._lookup(keys=[STATE, INTENTS, ENTRY + key], args=arguments))
        if reply is None:
            return Lookup()
        if doubt:
            self._doubt = False
        now_ms, epoch, known, raw = reply
        entry = Entry.unpack(raw)
        if entry is None:
            return Lookup(reached=True, epoch=epoch, now_ms=now_ms)
        age_ms = max(0, now_ms - entry.filled_ms)
        current = entry.version == known and age_ms < FRESH_MS
        return Lookup(True, current, entry, age_ms, epoch, now_ms)

    def fill(self, key: str, lookup: Lookup, entry: Entry) -> None:
        """Keep an answer that was read from MySQL after `lookup`."""
        arguments: list[bytes | int] = [lookup.epoch, entry.version, entry.pack(), KEEP_MS]
        self._call(lambda: self._fill(keys=[STATE, ENTRY + key], args=arguments))

    def announce(self) -> Intent:
        """Announce a write. The breaker is not asked: where a reader may come through, the writer has to try."""
        # Born by this host's clock: it only bounds how long the intent of a dead writer is minded.
        token = f"{time.time_ns() // 1_000_000}:{secrets.token_hex(8)}"
        announced = self._done(lambda: self._announce(keys=[INTENTS], args=[token, INTENT_MS]))
        return Intent(token, time.monotonic() + INTENT_MS / 1000 if announced else 0.0)

    def publish(self, version: int, tokens: list[str]) -> bool:
        """Make a committed version known; return whether Redis took it."""
        arguments: list[str | int] = [version, secrets.token_hex(8), *tokens]
        return self._done(lambda: self._publish(keys=[STATE, INTENTS], args=arguments))

    def withdraw(self, intent: Intent) -> None:
        """Take an intent back whose write did not happen."""
        self._done(lambda: self.client.zrem(INTENTS, intent.token))

    def ping(self) -> bool:
        """Tell whether Redis answers."""
        return self._done(self.client.ping)
