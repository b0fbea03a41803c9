#!lua flags=allow-oom
-- First step of a write-through: drops the cached copy and any lease, keeps others from filling until the commit is
-- decided, and takes the version. Runs when Redis is full too, or a full cache would stop writes that need no room in it.
-- Bounded: it frees a copy and adds one block (the entry id and some 60 bytes), which settle or unblock takes away; there
-- are never more than requests in flight, beside those of processes that died, which are removed two for one.
--
-- KEYS  1 state  2 blocks  3 entry
-- ARGV  1 epoch  2 not after, µs  3 entry id  4 token  5 length of the block, µs
-- Answers {'ok', version, block ends, now} | {'late', now} | {'epoch', current}
local s = redis.call('HMGET', KEYS[1], 'epoch', 'run_id', 'clock')
local wrong = wrong_epoch(ARGV[1], s[1], s[2])
if wrong then return wrong end
local now = time_us()
if now > tonumber(ARGV[2]) then return { 'late', now } end
-- Blocks of processes that died are found here, two a call: more are removed than can be left behind.
local old = redis.call('HRANDFIELD', KEYS[2], 2, 'WITHVALUES')
for i = 1, #old, 2 do
  if tonumber(string.match(old[i + 1], ' (%d+)$')) <= now then redis.call('HDEL', KEYS[2], old[i]) end
end
local version = next_version(tonumber(s[3]), now)
local ends = now + tonumber(ARGV[5])
redis.call('DEL', KEYS[3])
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4] .. ' ' .. digits(ends))
redis.call('HSET', KEYS[1], 'clock', digits(version))
return { 'ok', version, ends, now }
