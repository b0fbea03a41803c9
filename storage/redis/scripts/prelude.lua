-- Shared by every script: the loader puts it between a script's first line and its body.
--
-- The keys of a partition (all carry its hash tag, so every script stays in one cluster slot):
--   state   hash    epoch, run_id, replid, clock, number, count, bytes, since, fills_from, drain ("<sequence> <1 or 0>": whether writes
--                   are refused while the queue empties), newest_from: a pending write above this version is the newest of its
--                   entry, others may be older than a row (found by a recovery, or there was a write around Redis since)
--   open    hash    entry id -> mutation; the batch that takes writes. Its id is <epoch>.<partition>.<number>
--   closed  hash    batch id -> cmsgpack of {entry id, mutation, …}; closed for writes, not yet confirmed
--   queue   list    ids of closed batches that have no slot yet, oldest first
--   sent    hash    batch id -> "<slot> sealed <offered at, µs>" or "<slot> confirmed <run id> <at, µs>"
--   free    list    free slots, the one that has been free longest first
--   index   hash    entry id -> id of the newest batch that holds it and is not known to be persisted
--   blocks  hash    entry id -> "<token> <until, µs>" (of several: blocking.lua); a write-through is under way, nobody may fill the
--                   cache until then; later it is in doubt
--   records hash    digest of an Idempotency-Key -> "<fingerprint>,<version>,<value> <batch id>"; until the batch is released
--   carried hash    entry id -> "<batch id> <records>": those that the entry's next mutation takes along while that batch is
--                   not confirmed
--   lock    string  token of the process that recovers the partition
--   to-come-index, to-come-versions (entry id -> version), to-come-records: what it has found so far
--   token   string  "<epoch> <token>": PostgreSQL is being asked for the record of an Idempotency-Key
--   entry   string  "V <epoch> <version> <tag> <value>" a cached copy, or "L <epoch> <token>" a fill lease
-- Only entries and tokens have a TTL: the rest must not be evicted (blocks, for instance, would let an old value in).
-- A mutation is "<version> <tag> <value>" or "<version> <tag>+<records> <value>", records "<digest>,<fingerprint>,<version>,<value>;…". Tags: d document, c counter; upper case = deleted or never written.
-- Versions are µs and need "%.0f": the default text form of a number that large is rounded.

-- A write-through that nobody ended may commit after its block: PostgreSQL does not time a commit that waits for a standby or a
-- disk. It is remembered for so long, and what is read meanwhile is cached for a moment only (fill.lua).
local IN_DOUBT_US = 24 * 3600 * 1000000

-- What a mutation weighs beside its id and its text. With the 19 bytes of "<version> <tag> " it is the
-- MUTATION_OVERHEAD_BYTES of the domain.
local OVERHEAD = 77

local function digits(number)
  return string.format('%.0f', number)
end

-- The identity of this Redis process and of its data: run_id, and the id of its replication history. Read inside every
-- script: a restart may slip between any two of them.
-- A plain search, since a pattern would cost every script 1.5 µs more.
local function server_info() return redis.call('INFO', 'server', 'replication') end

local function id_in(info, name)
  local _, at = string.find(info, name, 1, true)
  return string.sub(info, at + 1, at + 40)
end

-- "<run_id> <replid>"
local function server_identity()
  local info = server_info()
  return id_in(info, 'run_id:') .. ' ' .. id_in(info, 'master_replid:')
end

-- Whether this Redis has another memory than the one in which the state in KEYS[1] was written, with this run_id. A primary that
-- was demoted and promoted again has the memory of the replica that it copied meanwhile, and its own run_id still; every promotion
-- makes a new replid and keeps the former one as replid2, while a primary that gets its first replica makes one without.
local function lost_memory(run_id)
  local info = server_info()
  if id_in(info, 'run_id:') ~= run_id then return true end
  if string.find(info, 'master_replid2:00000000', 1, true) then return false end
  local replid = redis.call('HGET', KEYS[1], 'replid')
  return replid and replid ~= id_in(info, 'master_replid:')
end

-- nil where the partition is usable and in this epoch. Else the answer to give: the epoch that is current, or '' where
-- the partition must be recovered before anybody uses it.
local function wrong_epoch(epoch, found_epoch, found_run_id)
  if not found_epoch or lost_memory(found_run_id) then return { 'epoch', '' } end
  if found_epoch ~= epoch then return { 'epoch', found_epoch } end
  return nil
end

-- The installation in an epoch, or in the id of a batch; nil where older versions made it.
local function installation_of(name)
  return string.match(name, '^%d+%-(%x%x%x%x%x%x%x%x)%w%w%w%w%w%w%w%w')
end

-- nil where Redis' epoch may be of this installation, '' or nil for one that is not known. Else the answer to give: "in whatever
-- epoch is valid" is not in another installation's.
local function foreign(installation, found_epoch)
  local found = installation_of(found_epoch)
  if found and installation and installation ~= '' and found ~= installation then return { 'foreign', found_epoch } end
  return nil
end

local function check_epoch(state_key, epoch)
  local found = redis.call('HMGET', state_key, 'epoch', 'run_id')
  return wrong_epoch(epoch, found[1], found[2])
end

-- The id in an entry's key: that is the state's key with `e:` and the id in place of `state`.
local function entry_id(state_key, entry_key)
  return string.sub(entry_key, #state_key - #'state' + #'e:' + 1)
end

local function time_us()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- Strictly above the partition's clock, at or above the time, even: odd versions belong to writes that go around Redis.
local function next_version(clock, now)
  local version = math.max(now, clock + 1)
  if version % 2 == 1 then version = version + 1 end
  return version
end

-- Version, tag and value of a cached copy of this epoch; nil for anything else.
local function cached_copy(text, epoch)
  if not text then return nil end
  local head = 'V ' .. epoch .. ' '
  if string.sub(text, 1, #head) ~= head then return nil end
  local version, tag, at = string.match(text, '^(%d+) (%a) ()', #head + 1)
  if not version then return nil end
  return tonumber(version), tag, string.sub(text, at)
end

-- Of two decisions about draining, or '' for none, the one with the higher sequence.
local function later_decision(one, other)
  local function sequence(decision) return decision and tonumber(string.match(decision, '^%d+')) or 0 end
  return sequence(one) >= sequence(other) and one or other
end

-- Whether a decision about draining refuses writes that are written behind.
local function refuses_writes(decision) return decision and string.sub(decision, -2) == ' 1' end

local function raise_clock(state_key, version)
  local clock = tonumber(redis.call('HGET', state_key, 'clock') or '0')
  if version > clock then redis.call('HSET', state_key, 'clock', digits(version)) end
end

-- Up to this version, what is pending may be older than its row. A state that an older version wrote has no such version: then
-- everything may, until seal.lua gives it one.
local function raise_newest_from(state_key, version)
  local newest_from = redis.call('HGET', state_key, 'newest_from')
  if newest_from and version > tonumber(newest_from) then
    redis.call('HSET', state_key, 'newest_from', digits(version))
  end
end
