#!lua flags=allow-oom
-- A row is newer than what is pending of its entry: up to this version, what is pending is no longer known to be the newest.
--
-- KEYS  1 state
-- ARGV  1 epoch  2 version
-- Answers {'ok'} | {'epoch', current}
local wrong = check_epoch(KEYS[1], ARGV[1])
if wrong then return wrong end
raise_newest_from(KEYS[1], tonumber(ARGV[2]))
return { 'ok' }
