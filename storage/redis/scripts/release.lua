#!lua flags=allow-oom
-- The batch is done (persisted, or refused): every entry leaves the pending index where that still names this batch,
-- leases are void, copies older than the mutation go, the clock is at least as far. The last call for a batch also frees
-- its slot and tells the waiters. In whatever epoch is valid, unless one is named. May be repeated.
--
-- KEYS  1 state  2 closed  3 queue  4 sent  5 free  6 index  7 records  8 carried  9… one entry key for each entry
-- ARGV  1 epoch, or '' for any  2 batch id  3 message for the waiters, '' while more calls follow  4 channel
--       5… for each entry: version, below zero where it was set aside (its copy goes too)
--       then for each idempotency record: entry id, digest. PostgreSQL has them now, or the write did not happen
-- Answers {'ok'} | {'epoch', current} | {'foreign', current}: of another installation
-- @use slots
local s = redis.call('HMGET', KEYS[1], 'epoch', 'run_id')
local wrong = wrong_epoch(ARGV[1] == '' and s[1] or ARGV[1], s[1], s[2])
if wrong then return wrong end
local batch = ARGV[2]
local others = foreign(installation_of(batch), s[1])
if others then return others end
local ids, held_here = {}, {}
for k = 9, #KEYS do ids[k - 8] = entry_id(KEYS[1], KEYS[k]) end
local holders = #ids > 0 and redis.call('HMGET', KEYS[6], unpack(ids)) or {}
for i, holder in ipairs(holders) do
  if holder == batch then held_here[#held_here + 1] = ids[i] end
end
if #held_here > 0 then redis.call('HDEL', KEYS[6], unpack(held_here)) end

local head = #s[1] + 24
local highest = 0
for k = 9, #KEYS do
  local version, aside = tonumber(ARGV[k - 4]), false
  if version < 0 then version, aside = -version, true end
  if version > highest then highest = version end
  -- The head is enough to see the version; values can be long.
  local text = redis.call('GETRANGE', KEYS[k], 0, head)
  if text ~= '' then
    local held = cached_copy(text, s[1])
    if not held or held < version or (aside and held == version) then redis.call('DEL', KEYS[k]) end
  end
end
raise_clock(KEYS[1], highest)
for a = #KEYS - 3, #ARGV, 2 do
  local id, key = ARGV[a], ARGV[a + 1]
  local found = redis.call('HGET', KEYS[7], key)
  if found and string.match(found, ' (%S+)$') == batch then redis.call('HDEL', KEYS[7], key) end
  local carried = redis.call('HGET', KEYS[8], id)
  if carried and string.match(carried, '^%S+') == batch then redis.call('HDEL', KEYS[8], id) end
end
if ARGV[3] ~= '' then
  redis.call('HDEL', KEYS[2], batch)
  redis.call('LREM', KEYS[3], 0, batch)
  local sent = redis.call('HGET', KEYS[4], batch)
  if sent then
    redis.call('HDEL', KEYS[4], batch)
    free_slot(KEYS[4], KEYS[5], string.match(sent, '^%d+'))
  end
  redis.call('PUBLISH', ARGV[4], ARGV[3])
end
return { 'ok' }
