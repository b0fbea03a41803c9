#!lua flags=allow-oom
-- One page of what a recovery found pending in Temporal, kept aside until install.lua puts all of it in place: a script that
-- took it at once would hold up all of Redis. lock.lua begins with nothing.
--
-- KEYS  1 lock  2 index, 3 versions and 4 records to come
-- ARGV  1 token  2 number of entries n, then n times: entry id, version, batch id. Each entry once in all pages
--       then for each mutation that has idempotency records: the records, batch id
-- Answers {'ok'} | {'lost'}: the lock is another's
-- @use restoring
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return { 'lost' } end
local n = tonumber(ARGV[2])
local index, versions = {}, {}
for i = 1, n do
  local a, at = 3 * i, 2 * i
  index[at - 1], versions[at - 1] = ARGV[a], ARGV[a]
  versions[at], index[at] = ARGV[a + 1], ARGV[a + 2]
end
if n > 0 then
  redis.call('HSET', KEYS[2], unpack(index))
  redis.call('HSET', KEYS[3], unpack(versions))
end
for a = 3 + 3 * n, #ARGV, 2 do restore_records(KEYS[4], ARGV[a], ARGV[a + 1]) end
return { 'ok' }
