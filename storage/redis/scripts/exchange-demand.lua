#!lua
-- Leaves what one API process is asked for, and answers what the others are. A process that has said nothing for a while is
-- forgotten; so is the whole key, should all of them be gone.
--
-- KEYS  1 demand   hash  process -> "<said at, µs> <report>"
-- ARGV  1 process  2 report  3 for how long a report counts, ms
-- Answers {'ok', reports of the others}
local now = time_us()
local life = tonumber(ARGV[3])
local others = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local at, report = string.match(all[i + 1], '^(%d+) (.*)$')
  if now - tonumber(at) > life * 1000 then
    redis.call('HDEL', KEYS[1], all[i])
  elseif all[i] ~= ARGV[1] then
    others[#others + 1] = report
  end
end
redis.call('HSET', KEYS[1], ARGV[1], digits(now) .. ' ' .. ARGV[2])
redis.call('PEXPIRE', KEYS[1], life)
return { 'ok', others }
