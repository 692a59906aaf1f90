"""The cache: entries in Redis, fenced by the catalogue's version. Never wrong, at most absent; docs/cache.md says why.

- Every write transaction raises the one version of the catalogue in MySQL. Redis holds the newest version that was
  published and, with each entry, the version it was read at; an entry is a hit only while the two are equal.
- A miss reads the version and the data in one snapshot and fills in both. Whenever Redis stops knowing the version a
  new epoch begins, and a fill whose lookup ran in an older one is turned away.
- One reader at a time holds the lease to load a key; it is good for one epoch and version.
- A write announces an intent with a deadline, commits, publishes its version, and only then is acknowledged. An
  overdue intent makes Redis forget the version.
- A process that failed to reach Redis makes it forget the version when it is back: it may have slept through writes.
"""

import logging
import secrets
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shop_api.observability import BAD_ENTRIES, CACHE_ERRORS
from shop_api.settings import RedisSettings

log = logging.getLogger(__name__)

STATE, INTENTS, ENTRY, LEASE = "shop:version", "shop:intents", "shop:entry:", "shop:lease:"
INTENT_MS = 1000
INTENT_LIFE_MS = 60_000
LEASE_MS = 1000
FRESH_MS = 3600 * 1000
KEEP_MS = 24 * FRESH_MS

T = TypeVar("T")

_TIME = "local time = redis.call('TIME') local now = time[1] * 1000 + math.floor(time[2] / 1000)\n"

# A state that cannot be one counts as none. Numbers of 15 digits are the longest that Lua keeps exactly.
_STATE = """
local function state()
  local found = redis.pcall('HMGET', KEYS[1], 'epoch', 'number')
  local epoch, number = found[1], found[2]
  if found.err or not epoch or number and not (#number < 16 and string.match(number, '^%d+$')) then return nil end
  return epoch, tonumber(number or -1)
end
"""

# The time in an epoch's name tells it from the one that the same call began, should it be sent twice.
_LOOKUP = (
    _TIME
    + _STATE
    + """
local overdue = redis.pcall('ZRANGEBYSCORE', KEYS[2], '-inf', now)
if overdue.err then redis.call('DEL', KEYS[2]) end
local epoch, known = state()
if overdue.err or #overdue > 0 or ARGV[2] == '1' or not epoch then
  epoch, known = ARGV[1] .. ':' .. time[1] .. ':' .. time[2], -1
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'epoch', epoch)
end
for _, token in ipairs(overdue) do
  local born = tonumber(string.match(token, '^%d+')) or 0
  if now - born > tonumber(ARGV[4]) then
    redis.call('ZREM', KEYS[2], token)
  else
    redis.call('ZADD', KEYS[2], now + ARGV[3], token)
  end
end
local entry = redis.pcall('GET', KEYS[3])
if type(entry) == 'table' then
  redis.call('DEL', KEYS[3])
  entry = 'not a string'
end
entry = entry or ''
local version, filled = string.match(entry, '^1 (%d+) (%d+) ')
if version and tonumber(version) == known and now - filled < tonumber(ARGV[5]) then
  return {now, epoch, known, entry, 'current'}
end
local fence = epoch .. ' ' .. known .. ' '
local lease = fence .. ARGV[1]
local held = redis.pcall('GET', KEYS[4])
if type(held) == 'string' and held ~= lease and string.sub(held, 1, #fence) == fence then
  return {now, epoch, known, entry, 'wait'}
end
-- Where Redis is full there are no leases, and everybody loads.
local granted = redis.pcall('SET', KEYS[4], lease, 'PX', ARGV[6])
return {now, epoch, known, entry, granted.err and 'load' or lease}
"""
)

_FILL = (
    _STATE
    + """
local epoch, known = state()
local version = tonumber(ARGV[2])
if epoch == ARGV[1] and version >= known and not redis.pcall('SET', KEYS[2], ARGV[3], 'PX', ARGV[4]).err
  and version > known then
  redis.call('HSET', KEYS[1], 'number', ARGV[2])
end
if redis.pcall('GET', KEYS[3]) == ARGV[5] then redis.call('DEL', KEYS[3]) end
"""
)

# The scripts of a writer must work when Redis is full; what they write is small.
_ANNOUNCE = (
    "#!lua flags=allow-oom\n"
    + _TIME
    + """
local added = redis.pcall('ZADD', KEYS[2], now + ARGV[2], ARGV[1])
if type(added) == 'table' then
  redis.call('DEL', KEYS[1], KEYS[2])
  redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[1])
end
"""
)

# Where the version is not known, a fill under way may have read before this write: a new epoch turns it away.
_PUBLISH = (
    "#!lua flags=allow-oom\n"
    + _STATE
    + """
local epoch, known = state()
if not epoch or known < 0 then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'epoch', ARGV[2])
elseif tonumber(ARGV[1]) > known then
  redis.call('HSET', KEYS[1], 'number', ARGV[1])
end
for token = 3, #ARGV do redis.pcall('ZREM', KEYS[2], ARGV[token]) end
"""
)

_DELETE = "if redis.pcall('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


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
        epoch: the one in which this is true.
        now_ms: Redis' time.
        known: the version that was published last, -1 when Redis knows none.
        lease: allows to load the answer; to be handed to `fill` or `release`. None when there is none to be had.
        wait: whether somebody else holds the lease.
    """

    reached: bool = False
    current: bool = False
    entry: Entry | None = None
    age_ms: int = 0
    epoch: bytes = b""
    now_ms: int = 0
    known: int = -1
    lease: bytes | None = None
    wait: bool = False


class Breaker:
    """Keeps a service that fails from costing requests its timeout: open, it is for a thread of its own to try."""

    def __init__(self, probe: Callable[[], bool], failures: int = 2, pause: float = 0.25) -> None:
        """Begin closed.

        Args:
            probe: tells whether the service works again.
            failures: how many in a row open it.
            pause: seconds between probes.
        """
        self._lock = threading.Lock()
        self._probe = probe
        self._limit = failures
        self._pause = pause
        self._failures = 0
        self._probing = False

    @property
    def closed(self) -> bool:
        """Whether calls may be made."""
        return self._failures < self._limit

    def record(self, success: bool) -> None:
        """Take note of how a call went."""
        with self._lock:
            self._failures = 0 if success else self._failures + 1
            if self.closed or self._probing:
                return
            self._probing = True
        threading.Thread(target=self._mend, name="breaker", daemon=True).start()

    def _mend(self) -> None:
        while True:
            time.sleep(self._pause)
            works = self._probe()
            with self._lock:
                if works:
                    self._failures = 0
                if self.closed:
                    self._probing = False
                    return


def make_client(settings: RedisSettings) -> redis.Redis:
    """Make the client; it connects at first use, so it may be made before a fork."""
    seconds = settings.redis_timeout_ms / 1000
    return redis.Redis(
        username=settings.redis_user,
        host=settings.redis_host,
        port=settings.redis_port,
        password=settings.redis_password.get_secret_value(),
        socket_connect_timeout=seconds,
        socket_timeout=seconds,
        # A pooled connection may have died with the last Redis; a timeout is never waited for twice.
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
        # A new connection costs a slow Redis' delay once, for the password, and not for each courtesy.
        protocol=2,
        driver_info=None,
    )


class Cache:
    """The protocol above on one Redis."""

    def __init__(self, client: redis.Redis) -> None:
        """Register the scripts; Redis is not asked yet.

        Args:
            client: made by `make_client`.
        """
        self.client = client
        self._breaker = Breaker(self._answers)
        # Each failure is an object of its own: one that comes while Redis is made to forget needs a forgetting too.
        self._failure = self._forgotten = object()
        self._lookup = client.register_script(_LOOKUP)
        self._fill = client.register_script(_FILL)
        self._announce = client.register_script(_ANNOUNCE)
        self._publish = client.register_script(_PUBLISH)
        self._delete = client.register_script(_DELETE)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False

    def _call(self, call: Callable[[], T]) -> T | None:
        try:
            result = call()
        except redis.RedisError:
            CACHE_ERRORS.inc()
            self._failure = object()
            self._breaker.record(success=False)
            return None
        self._breaker.record(success=True)
        return result

    def _done(self, call: Callable[[], object]) -> bool:
        return self._call(lambda: (call(),)) is not None

    def lookup(self, key: str, check: Callable[[Entry], bool]) -> Lookup:
        """Ask for the answer kept under a key; when it is not current, for the lease to load it, too.

        Args:
            key: names the question.
            check: tells whether what was kept can be an answer to it.
        """
        if not self._breaker.closed:
            return Lookup()
        failure = self._failure
        doubt = failure is not self._forgotten
        arguments: list[str | int] = [secrets.token_hex(8), int(doubt), INTENT_MS, INTENT_LIFE_MS, FRESH_MS, LEASE_MS]
        keys = [STATE, INTENTS, ENTRY + key, LEASE + key]
        reply = self._call(lambda: self._lookup(keys=keys, args=arguments))
        if reply is None:
            return Lookup()
        if doubt:
            self._forgotten = failure
        now_ms, epoch, known, raw, right = reply
        lease = None if right in (b"current", b"wait", b"load") else right
        found = Lookup(reached=True, epoch=epoch, now_ms=now_ms, known=known, lease=lease, wait=right == b"wait")
        if not raw:
            return found
        entry = Entry.unpack(raw)
        if entry is None or not check(entry):
            BAD_ENTRIES.inc()
            log.error("entry in Redis left out: not valid", extra={"key": key})
            return found
        return replace(found, current=right == b"current", entry=entry, age_ms=max(0, now_ms - entry.filled_ms))

    def fill(self, key: str, lookup: Lookup, entry: Entry) -> None:
        """Keep an answer that was read from MySQL after `lookup`, and give the lease back."""
        if entry.version < lookup.known:
            # What was published was committed before, so this is not this database's version.
            log.error("version in Redis is ahead of MySQL's", extra={"known": lookup.known, "version": entry.version})
            self._failure = object()
        arguments: list[bytes | int] = [lookup.epoch, entry.version, entry.pack(), KEEP_MS, lookup.lease or b""]
        self._call(lambda: self._fill(keys=[STATE, ENTRY + key, LEASE + key], args=arguments))

    def release(self, key: str, lookup: Lookup) -> None:
        """Give the lease back, if `lookup` got one, without an answer."""
        if lease := lookup.lease:
            self._call(lambda: self._delete(keys=[LEASE + key], args=[lease]))

    def announce(self) -> str:
        """Announce a write, and return the intent's token.

        The breaker is not asked: where a reader may come through, the writer has to try.
        """
        # Born by this host's clock: it only bounds how long the intent of a dead writer is minded.
        token = f"{time.time_ns() // 1_000_000}:{secrets.token_hex(8)}"
        self._call(lambda: self._announce(keys=[STATE, INTENTS], args=[token, INTENT_MS]))
        return token

    def publish(self, version: int, tokens: list[str]) -> bool:
        """Make a committed version known; return whether Redis took it."""
        arguments: list[str | int] = [version, secrets.token_hex(8), *tokens]
        return self._done(lambda: self._publish(keys=[STATE, INTENTS], args=arguments))

    def withdraw(self, token: str) -> None:
        """Take an intent back whose write did not happen."""
        self._call(lambda: self.client.zrem(INTENTS, token))

    def ping(self) -> bool:
        """Tell whether Redis answers."""
        return self._done(self.client.ping)
