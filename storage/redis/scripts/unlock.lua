#!lua flags=allow-oom
-- Gives up a recovery that failed half-way, so that the next attempt need not wait for the lock to expire.
--
-- KEYS  1 lock
-- ARGV  1 token
-- Answers {'ok'}
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return { 'ok' }
