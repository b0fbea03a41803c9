#!lua flags=allow-oom
-- A recovery is still running: its lock lives on. One that expired is lost, even where nobody has taken it since.
--
-- KEYS  1 lock
-- ARGV  1 token  2 life of the lock from now, ms
-- Answers {'ok'} | {'lost'}
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return { 'lost' } end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return { 'ok' }
