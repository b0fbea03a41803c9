#!lua flags=allow-oom
-- Writes were given up for good (PostgreSQL has it on record): each entry leaves the pending index where that still names
-- the batch, leases are void, and copies of that very write or older ones go; the next read finds what is left. In whatever
-- epoch is valid. May be repeated.
--
-- KEYS  1 state  2 index  3… one entry key for each entry
-- ARGV  1 batch id  2… for each entry: id, version
-- Answers {'ok'} | {'epoch', ''}: the partition must be recovered first
local s = redis.call('HMGET', KEYS[1], 'epoch', 'run_id')
local wrong = wrong_epoch(s[1], s[1], s[2])
if wrong then return wrong end
local head = #s[1] + 24
for k = 3, #KEYS do
  local a = 2 + (k - 3) * 2
  local id, version = ARGV[a], tonumber(ARGV[a + 1])
  if redis.call('HGET', KEYS[2], id) == ARGV[1] then redis.call('HDEL', KEYS[2], id) end
  -- The head is enough to see the version; values can be long.
  local text = redis.call('GETRANGE', KEYS[k], 0, head)
  if text ~= '' then
    local held = cached_copy(text, s[1])
    if not held or held <= version then redis.call('DEL', KEYS[k]) end
  end
end
return { 'ok' }
