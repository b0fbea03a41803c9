#!lua flags=allow-oom
-- Whether the partition can be used, and in which epoch.
--
-- KEYS  1 state
-- Answers {epoch, now, named}; the epoch is '' where the partition must be recovered first; named is the one that the state
-- names all the same, '' where it names none
local s = redis.call('HMGET', KEYS[1], 'epoch', 'run_id')
if not s[1] or lost_memory(s[2]) then return { '', time_us(), s[1] or '' } end
return { s[1], time_us(), s[1] }
