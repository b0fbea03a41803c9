#!lua flags=allow-oom
-- First step of writes through of one partition: each drops the cached copy and any lease, keeps others from filling until
-- the commit is decided, and takes the version. Runs when Redis is full too, or a full cache would stop writes that need no
-- room in it. Bounded: it frees a copy and adds to a block (the entry id and some 60 bytes), which settle or unblock takes
-- away; there are never more than requests in flight, beside those in doubt, which are removed a day later, two for one.
--
-- KEYS  1 state  2 blocks  3… the entry of each write
-- ARGV  1 epoch  2 not after, µs  3 length of a block, µs  4… for each write: token
-- Answers {'epoch', current} | {'late', now} | {'ok', one for each write}: {'ok', version, block ends, now}
-- @use blocking
local s = redis.call('HMGET', KEYS[1], 'epoch', 'run_id', 'clock')
local wrong = wrong_epoch(ARGV[1], s[1], s[2])
if wrong then return wrong end
local now = time_us()
if now > tonumber(ARGV[2]) then return { 'late', now } end
-- Blocks that nobody ended are found here, two for each write: more are removed than can be left behind.
local old = redis.call('HRANDFIELD', KEYS[2], 2 * (#KEYS - 2), 'WITHVALUES')
for i = 1, #old, 2 do
  if tonumber(string.match(old[i + 1], ' (%d+)$')) + IN_DOUBT_US <= now then redis.call('HDEL', KEYS[2], old[i]) end
end
local ends = now + tonumber(ARGV[3])
local clock = tonumber(s[3])
local answer = { 'ok' }
for k = 3, #KEYS do
  clock = next_version(clock, now)
  redis.call('DEL', KEYS[k])
  local id = entry_id(KEYS[1], KEYS[k])
  local writes = blocking(redis.call('HGET', KEYS[2], id), now)
  table.insert(writes, 1, { ARGV[k + 1], ends })
  set_block(KEYS[2], id, writes)
  answer[k - 1] = { 'ok', clock, ends, now }
end
redis.call('HSET', KEYS[1], 'clock', digits(clock))
return answer
