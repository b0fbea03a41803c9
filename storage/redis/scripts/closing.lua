-- Shared by the scripts that close the open batch; the loader puts it after the prelude where a script asks for it.

-- Closes the open batch for writes: its content moves under its id, and the next number begins.
local function close_open(state_key, open_key, closed_key, queue_key, id, number)
  redis.call('HSET', closed_key, id, cmsgpack.pack(redis.call('HGETALL', open_key)))
  redis.call('RPUSH', queue_key, id)
  redis.call('DEL', open_key)
  redis.call('HSET', state_key, 'number', digits(number + 1), 'count', '0', 'bytes', '0', 'since', '0')
end
