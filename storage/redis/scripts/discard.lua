#!lua flags=allow-oom
-- Writes were given up for good (PostgreSQL has it on record): each entry leaves the pending index where that still names
-- the batch, leases are void, and copies of that very write or older ones go; the next read finds what is left. Their
-- idempotency records go, too: who repeats such a write must not be told that it is queued. A record stays where another batch
-- holds a later write of the entry, which may rest on this one. In whatever epoch is valid. May be repeated.
--
-- KEYS  1 state  2 index  3 records  4 carried  5… one entry key for each entry
-- ARGV  1 batch id  2… for each entry: id, version
--       then for each idempotency record: entry id, digest
-- Answers {'ok'} | {'epoch', ''}: the partition must be recovered first
local s = redis.call('HMGET', KEYS[1], 'epoch', 'run_id')
local wrong = wrong_epoch(s[1], s[1], s[2])
if wrong then return wrong end
local batch = ARGV[1]
local head = #s[1] + 24
local succeeded = {}
for k = 5, #KEYS do
  local a = 2 + (k - 5) * 2
  local id, version = ARGV[a], tonumber(ARGV[a + 1])
  local holder = redis.call('HGET', KEYS[2], id)
  if holder == batch then redis.call('HDEL', KEYS[2], id)
  elseif holder then succeeded[id] = true end
  -- The head is enough to see the version; values can be long.
  local text = redis.call('GETRANGE', KEYS[k], 0, head)
  if text ~= '' then
    local held = cached_copy(text, s[1])
    if not held or held <= version then redis.call('DEL', KEYS[k]) end
  end
end
for a = 2 + (#KEYS - 4) * 2, #ARGV, 2 do
  local id, key = ARGV[a], ARGV[a + 1]
  if not succeeded[id] then
    local found = redis.call('HGET', KEYS[3], key)
    if found and string.match(found, ' (%S+)$') == batch then redis.call('HDEL', KEYS[3], key) end
    local carried = redis.call('HGET', KEYS[4], id)
    if carried and string.match(carried, '^%S+') == batch then redis.call('HDEL', KEYS[4], id) end
  end
end
return { 'ok' }
