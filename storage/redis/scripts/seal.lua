#!lua flags=allow-oom
-- Gives the oldest batch that has none a slot. From here on its content never changes. Any process may; one wins.
-- The more slots are in use, the longer the open batch gathers, so that small batches cannot use up the slots; the last
-- half takes only full or long-gathered ones.
--
-- KEYS  1 state  2 open  3 closed  4 queue  5 sent  6 free
-- ARGV  1 epoch  2 partition name  3 number of slots  4 shortest gathering, µs  5 longest gathering, µs
-- Answers {'sealed', batch id, slot, now, {entry id, mutation, …}, closed batches that are left} | {'wait', µs}: gather on | {'none'}: nothing staged |
--       {'full'}: no slot is free | {'epoch', current}
-- @use closing
local s = redis.call('HMGET', KEYS[1], 'epoch', 'run_id', 'number', 'count', 'since', 'clock', 'replid')
local wrong = wrong_epoch(ARGV[1], s[1], s[2])
if wrong then return wrong end
local queued = redis.call('LLEN', KEYS[4])
if queued == 0 and s[4] == '0' then return { 'none' } end
local free = redis.call('LLEN', KEYS[6])
if free == 0 then return { 'full' } end

local now = time_us()
if queued == 0 then
  local slots, shortest, longest = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
  local used = slots - free
  local gather = 0
  if used >= slots / 2 then
    gather = longest
  elseif used >= slots / 8 then
    gather = math.min(5000 * 2 ^ (used - math.floor(slots / 8)), longest / 2)
  end
  -- `since` ahead of the time: the clock was set back, or moved to another host. Then waiting has no meaning.
  local age = now - tonumber(s[5])
  local wait = math.max(gather, shortest) - age
  if age >= 0 and wait > 0 then return { 'wait', wait } end
  local number = tonumber(s[3])
  close_open(KEYS[1], KEYS[2], KEYS[3], KEYS[4], s[1] .. '.' .. ARGV[2] .. '.' .. digits(number), number)
end
local id = redis.call('LPOP', KEYS[4])
local slot = redis.call('LPOP', KEYS[6])
-- A state that an older version wrote has neither: from here on what is staged is known to be the newest, and another memory
-- under the same run_id is seen.
redis.call('HSETNX', KEYS[1], 'newest_from', s[6])
if not s[7] then redis.call('HSET', KEYS[1], 'replid', id_in(server_info(), 'master_replid:')) end
redis.call('HSET', KEYS[5], id, slot .. ' sealed ' .. digits(now))
return { 'sealed', id, slot, now, cmsgpack.unpack(redis.call('HGET', KEYS[3], id)), redis.call('LLEN', KEYS[4]) }
