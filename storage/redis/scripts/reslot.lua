#!lua flags=allow-oom
-- The slot of a sealed batch turned out to hold another batch: takes a free one. The old one goes to the end of the free
-- list, unless a batch names it: a workflow that is open there and that nobody here knows ends some time.
--
-- KEYS  1 state  2 closed  3 sent  4 free
-- ARGV  1 epoch  2 batch id  3 the slot that was taken
-- Answers {'slot', slot} | {'gone'}: confirmed or released meanwhile | {'full'} | {'epoch', current}
-- @use slots
local wrong = check_epoch(KEYS[1], ARGV[1])
if wrong then return wrong end
local now = time_us()
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 0 then return { 'gone' } end
local sent = redis.call('HGET', KEYS[3], ARGV[2])
local slot = sent and string.match(sent, '^(%d+) sealed')
if not slot then return { 'gone' } end
if slot ~= ARGV[3] then return { 'slot', slot } end
local other = redis.call('LPOP', KEYS[4])
if not other then return { 'full' } end
redis.call('HSET', KEYS[3], ARGV[2], other .. ' sealed ' .. digits(now))
free_slot(KEYS[3], KEYS[4], slot)
return { 'slot', other }
