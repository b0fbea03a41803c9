#!lua flags=allow-oom
-- Ends the recovery of a partition: writes the new epoch, clock and slots, and puts in place what prepare.lua kept aside.
-- Batches that survived in Redis get new ids of the new epoch and are closed for writes: under its old id, a snapshot's
-- half of a batch could be confirmed as if it were the whole. Copies cached under older epochs stay and count as misses.
--
-- KEYS  1 state  2 open  3 closed  4 queue  5 sent  6 free  7 index  8 blocks  9 lock  10 records  11 carried
--       12 index, 13 versions and 14 records to come
-- ARGV  1 token  2 identity of the server that was read with the lock  3 new epoch  4 partition name  5 clock, not below any version that
--       is pending  6 number of slots  7 length of a block, µs  8 adopted: lines of "slot batch run", or ''
--       9 decision about draining, as the state has it, or ''  10 number of rows of survivors n, then n times: entry id, version
--       then for each write that was set aside (it is not queued, and its key is free): entry id, version, batch id and idempotency
--       records where these are not pending already; they stay where a later write of the entry survived, which may rest on it
-- Answers {'ok', now} | {'lost'}: lock or identity is another, begin again
-- @use restoring
if redis.call('GET', KEYS[9]) ~= ARGV[1] or server_identity() ~= ARGV[2] then return { 'lost' } end
local now = time_us()
local epoch, partition, clock = ARGV[3], ARGV[4], tonumber(ARGV[5])
local old = redis.call('HMGET', KEYS[1], 'clock', 'drain')
if old[1] then clock = math.max(clock, tonumber(old[1])) end

local function pending_version(id) return tonumber(redis.call('HGET', KEYS[13], id) or '0') end
local row_version = {}
local asides_at = 11 + 2 * tonumber(ARGV[10])
for a = 11, asides_at - 1, 2 do row_version[ARGV[a]] = tonumber(ARGV[a + 1]) end
local aside = {}
for a = asides_at, #ARGV, 4 do aside[ARGV[a] .. ' ' .. ARGV[a + 1]] = true end

-- Oldest first, sealed or not: their numbers are of one epoch.
local survivors = {}
local closed = redis.call('HGETALL', KEYS[3])
for i = 1, #closed, 2 do
  survivors[#survivors + 1] = { tonumber(string.match(closed[i], '%d+$')), cmsgpack.unpack(closed[i + 1]) }
end
table.sort(survivors, function(a, b) return a[1] < b[1] end)
for i, survivor in ipairs(survivors) do survivors[i] = survivor[2] end
survivors[#survivors + 1] = redis.call('HGETALL', KEYS[2])

redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11])
if redis.call('EXISTS', KEYS[12]) == 1 then redis.call('RENAME', KEYS[12], KEYS[7]) end
if redis.call('EXISTS', KEYS[14]) == 1 then redis.call('RENAME', KEYS[14], KEYS[10]) end
local newest, index = {}, {}
local number = 0
for _, content in ipairs(survivors) do
  local kept, id = {}, epoch .. '.' .. partition .. '.' .. digits(number)
  for i = 1, #content, 2 do
    local entry, mutation = content[i], content[i + 1]
    local text, tag, records = string.match(mutation, '^(%d+) (%a)%+?(%S*) ')
    local version = tonumber(text)
    clock = math.max(clock, version)
    local pending = pending_version(entry)
    -- A counter that survived is worth keeping only above its row (0 where it has none) and everything pending: else its
    -- increments were counted. So is a document whose row is named, since what is there may never have known of it.
    local row = row_version[entry] or string.lower(tag) == 'c' and 0
    local counts = not row or version > math.max(row, pending)
    if counts and not aside[entry .. ' ' .. text] then
      kept[#kept + 1], kept[#kept + 2] = entry, mutation
      if version > (newest[entry] or pending) then newest[entry], index[entry] = version, id end
      if records ~= '' then
        restore_records(KEYS[10], records, id)
        redis.call('HSET', KEYS[11], entry, id .. ' ' .. records)
      end
    end
  end
  if #kept > 0 then
    redis.call('HSET', KEYS[3], id, cmsgpack.pack(kept))
    redis.call('RPUSH', KEYS[4], id)
    number = number + 1
  end
end
redis.call('UNLINK', KEYS[13])
for a = asides_at, #ARGV, 4 do
  if ARGV[a + 3] ~= '' and (newest[ARGV[a]] or 0) > tonumber(ARGV[a + 1]) then
    restore_records(KEYS[10], ARGV[a + 3], ARGV[a + 2])
  end
end

-- A batch may be open in two slots (its start in the first one was still under way when it was moved). It is recorded in
-- the last; the other one counts as free, at the end of the line: who is given it finds it taken, and moves on.
local taken, slot_of, twice = {}, {}, {}
for slot, batch, run in string.gmatch(ARGV[8], '(%d+) (%S+) (%S+)') do
  taken[slot] = true
  if slot_of[batch] then twice[#twice + 1] = slot_of[batch] end
  slot_of[batch] = slot
  redis.call('HSET', KEYS[5], batch, slot .. ' confirmed ' .. run .. ' ' .. digits(now))
end
for slot = 0, tonumber(ARGV[6]) - 1 do
  if not taken[digits(slot)] then redis.call('RPUSH', KEYS[6], digits(slot)) end
end
for _, slot in ipairs(twice) do redis.call('RPUSH', KEYS[6], slot) end
local page = {}
for id, batch in pairs(index) do
  page[#page + 1], page[#page + 2] = id, batch
  if #page >= 1000 then
    redis.call('HSET', KEYS[7], unpack(page))
    page = {}
  end
end
if #page > 0 then redis.call('HSET', KEYS[7], unpack(page)) end
-- The state may know of a later one than whoever recovers.
local drain = later_decision(old[2], ARGV[9])
redis.call('DEL', KEYS[1])
local run_id, replid = string.match(ARGV[2], '^(%S+) (%S+)$')
redis.call('HSET', KEYS[1], 'epoch', epoch, 'run_id', run_id, 'replid', replid, 'clock', digits(clock), 'number', digits(number),
  'count', '0', 'bytes', '0', 'since', '0', 'fills_from', digits(now + tonumber(ARGV[7])),
  'newest_from', digits(clock), 'drain', drain)
return { 'ok', now }
