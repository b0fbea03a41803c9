#!lua flags=allow-oom
-- Whether write-behind writes are refused, for the partition's own scripts: the later of two decisions holds. Answers what
-- holds now.
--
-- KEYS  1 state
-- ARGV  1 epoch, or '' for any  2 decision as the state has it: "<sequence> <1: refused, 0: taken>"; '' to ask only
-- Answers {'ok', decision or ''} | {'epoch', current}
local s = redis.call('HMGET', KEYS[1], 'epoch', 'run_id', 'drain')
local wrong = wrong_epoch(ARGV[1] == '' and s[1] or ARGV[1], s[1], s[2])
if wrong then return wrong end
local decision = later_decision(s[3], ARGV[2])
if decision ~= '' and decision ~= s[3] then redis.call('HSET', KEYS[1], 'drain', decision) end
return { 'ok', decision }
