#!lua flags=allow-oom
-- Begins the recovery of a partition: one process at a time. The answer's identity of the server must be read before any slot is asked.
-- Of batches that survived in Redis the counters and the writes with idempotency records are listed: recovery asks the database
-- for the rows of the ones, whether the others were set aside, and for their rows, too, where this Redis was left for another one.
--
-- A state that says it is valid and is not, since a later epoch is known, ends here: nobody may use it until the new one.
--
-- KEYS  1 state  2 open  3 closed  4 lock  5… what an earlier recovery may have kept aside
-- ARGV  1 token  2 life of the lock, ms  3 lowest epoch number that counts as valid
-- Answers {'valid', epoch}: nothing to recover | {'busy'} | {'locked', identity, old epoch or '', {counter entry id, …}, {entry id, version, …}}
local s = redis.call('HMGET', KEYS[1], 'epoch', 'run_id')
local number = s[1] and tonumber(string.match(s[1], '^%d+')) or -1
if s[1] and not lost_memory(s[2]) and number >= tonumber(ARGV[3]) then return { 'valid', s[1] } end
if not redis.call('SET', KEYS[4], ARGV[1], 'NX', 'PX', ARGV[2]) then return { 'busy' } end
redis.call('HDEL', KEYS[1], 'run_id')
redis.call('UNLINK', unpack(KEYS, 5))
local counters, keyed = {}, {}
local function collect(content)
  for i = 1, #content, 2 do
    local version, tag, plus = string.match(content[i + 1], '^(%d+) (%a)(%+?)')
    if string.lower(tag) == 'c' then counters[#counters + 1] = content[i] end
    if plus == '+' then keyed[#keyed + 1], keyed[#keyed + 2] = content[i], version end
  end
end
collect(redis.call('HGETALL', KEYS[2]))
for _, closed in ipairs(redis.call('HVALS', KEYS[3])) do collect(cmsgpack.unpack(closed)) end
return { 'locked', server_identity(), s[1] or '', counters, keyed }
