#!lua flags=allow-oom
-- Ends the recovery of a partition: writes the new epoch, clock, slots and pending index. Batches that survived in Redis
-- get new ids of the new epoch and are closed for writes: under its old id, a snapshot's half of a batch could be
-- confirmed as if it were the whole. Copies cached under older epochs stay and count as misses.
--
-- KEYS  1 state  2 open  3 closed  4 queue  5 sent  6 free  7 index  8 blocks  9 lock  10 records  11 carried
-- ARGV  1 token  2 run id that was read with the lock  3 new epoch  4 partition name  5 clock  6 number of slots
--       7 length of a block, µs  8 adopted: lines of "slot batch run", or ''
--       9 number of pending entries n, then n times: entry id, version, batch id, idempotency records
--       10+4n number of rows m, then m times: counter entry id, version of its row
--       11+4n+2m decision about draining, as the state has it, or ''
-- Answers {'ok', now} | {'lost'}: lock or run id is another, begin again
if redis.call('GET', KEYS[9]) ~= ARGV[1] or server_run_id() ~= ARGV[2] then return { 'lost' } end
local now = time_us()
local epoch, partition, clock = ARGV[3], ARGV[4], tonumber(ARGV[5])
local old = redis.call('HMGET', KEYS[1], 'clock', 'drain')
if old[1] then clock = math.max(clock, tonumber(old[1])) end

local best, index = {}, {}
local function offer(id, version, batch)
  if not best[id] or best[id] < version then best[id], index[id] = version, batch end
end
local n = tonumber(ARGV[9])
for i = 0, n - 1 do
  local a = 10 + i * 4
  local version = tonumber(ARGV[a + 1])
  offer(ARGV[a], version, ARGV[a + 2])
  clock = math.max(clock, version)
end
-- A counter that survived is worth keeping only above its row (0 where it has none) and everything pending: else its
-- increments were counted.
local floor = {}
local at = 10 + 4 * n
for i = 0, tonumber(ARGV[at]) - 1 do floor[ARGV[at + 1 + i * 2]] = tonumber(ARGV[at + 2 + i * 2]) end
for id, version in pairs(best) do floor[id] = math.max(floor[id] or 0, version) end

-- Oldest first, sealed or not: their numbers are of one epoch.
local survivors = {}
local closed = redis.call('HGETALL', KEYS[3])
for i = 1, #closed, 2 do
  survivors[#survivors + 1] = { tonumber(string.match(closed[i], '%d+$')), cmsgpack.unpack(closed[i + 1]) }
end
table.sort(survivors, function(a, b) return a[1] < b[1] end)
for i, survivor in ipairs(survivors) do survivors[i] = survivor[2] end
survivors[#survivors + 1] = redis.call('HGETALL', KEYS[2])

redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11])
local function restore(records, batch)
  for key, rest in string.gmatch(records, '([^,;]+)(,[^;]*)') do
    redis.call('HSETNX', KEYS[10], key, string.sub(rest, 2) .. ' ' .. batch)
  end
end
for i = 0, n - 1 do restore(ARGV[13 + i * 4], ARGV[12 + i * 4]) end
local number = 0
for _, content in ipairs(survivors) do
  local kept, id = {}, epoch .. '.' .. partition .. '.' .. digits(number)
  for i = 1, #content, 2 do
    local entry, mutation = content[i], content[i + 1]
    local version, tag, records = string.match(mutation, '^(%d+) (%a)%+?(%S*) ')
    version = tonumber(version)
    clock = math.max(clock, version)
    if string.lower(tag) ~= 'c' or version > (floor[entry] or 0) then
      kept[#kept + 1], kept[#kept + 2] = entry, mutation
      offer(entry, version, id)
      if records ~= '' then
        restore(records, id)
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
local drain = later_decision(old[2], ARGV[at + 1 + 2 * tonumber(ARGV[at])])
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'epoch', epoch, 'run_id', ARGV[2], 'clock', digits(clock), 'number', digits(number),
  'count', '0', 'bytes', '0', 'since', '0', 'fills_from', digits(now + tonumber(ARGV[7])),
  'drain', drain)
return { 'ok', now }
