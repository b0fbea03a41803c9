#!lua flags=allow-oom
-- Entries were written around Redis: drops older copies, voids leases, ends the tokens of write-throughs under way (an older
-- one would cache its value over this write in its last step), and raises the clock above the versions. What is pending below
-- them is no longer known to be the newest. In whatever epoch is valid. May be repeated.
--
-- KEYS  1 state  2 blocks  3… one entry key for each entry
-- ARGV  1 the caller's installation, '' where it does not know  then for each entry: id, version
-- Answers {'ok'} | {'epoch', ''}: the partition must be recovered first | {'foreign', current}: of another installation
local s = redis.call('HMGET', KEYS[1], 'epoch', 'run_id')
local wrong = wrong_epoch(s[1], s[1], s[2]) or foreign(ARGV[1], s[1])
if wrong then return wrong end
local head = #s[1] + 24
local highest = 0
for k = 3, #KEYS do
  local a = (k - 3) * 2 + 2
  local id, version = ARGV[a], tonumber(ARGV[a + 1])
  if version > highest then highest = version end
  local text = redis.call('GETRANGE', KEYS[k], 0, head)
  if text ~= '' then
    local held = cached_copy(text, s[1])
    if not held or held < version then redis.call('DEL', KEYS[k]) end
  end
  local block = redis.call('HGET', KEYS[2], id)
  if block then redis.call('HSET', KEYS[2], id, '0 ' .. string.match(block, ' (%d+)$')) end
end
raise_clock(KEYS[1], highest)
raise_newest_from(KEYS[1], highest)
return { 'ok' }
