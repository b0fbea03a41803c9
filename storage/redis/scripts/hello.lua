#!lua flags=allow-oom
-- Whether the partition can be used, and in which epoch.
--
-- KEYS  1 state
-- Answers {epoch, now}; the epoch is '' where the partition must be recovered first
local s = redis.call('HMGET', KEYS[1], 'epoch', 'run_id')
if not s[1] or lost_memory(s[2]) then return { '', time_us() } end
return { s[1], time_us() }
