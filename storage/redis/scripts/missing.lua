-- Of the script that reads; the loader puts it after the prelude where a script asks for it.

-- What a read needs to repair a miss: {'miss', lease, batch id, slot, run id, mutation, newest_from}, as lookup.lua says. `ask` has epoch,
-- token and life of a lease, and whether the entry is write-through; `unpacked` keeps the closed batches that this call
-- looked into, by their ids.
local function missing(keys, entry_key, id, ask, unpacked)
  local lease = ''
  -- Again: another read of the entry may have been granted a lease since all were fetched.
  local text = redis.call('GET', entry_key)
  local block = redis.call('HGET', keys.blocks, id)
  local now = (block or ask.write_through) and time_us() or 0
  local blocked_until = block and tonumber(string.match(block, ' (%d+)$'))
  local blocked = block and blocked_until > now
  if block and blocked_until + IN_DOUBT_US <= now then redis.call('HDEL', keys.blocks, id) end
  -- A commit may be in doubt whose block was lost with Redis' memory: wait one block length after a new epoch.
  if ask.write_through and tonumber(redis.call('HGET', keys.state, 'fills_from')) > now then blocked = true end
  -- A held lease keeps others from filling; a copy or a lease of an older epoch may be replaced.
  local own = 'L ' .. ask.epoch .. ' ' .. ask.token
  if text == own then
    lease = ask.token
  elseif blocked then
    lease = ''
  elseif text and string.sub(text, 1, #ask.epoch + 3) == 'L ' .. ask.epoch .. ' ' then
    lease = 'held'
  else
    local granted = redis.pcall('SET', entry_key, own, 'PX', ask.lease_ms)
    if granted and not granted.err then lease = ask.token end
  end

  local batch = redis.call('HGET', keys.index, id)
  if not batch then return { 'miss', lease, '', '', '', '', '' } end
  local newest_from = redis.call('HGET', keys.state, 'newest_from') or ''
  local sent = redis.call('HGET', keys.sent, batch)
  if sent then
    local slot, run_id = string.match(sent, '^(%d+) confirmed (%S+)')
    if slot then return { 'miss', lease, batch, slot, run_id, '', newest_from } end
  end
  local content = unpacked[batch]
  if not content then
    content = {}
    local closed = redis.call('HGET', keys.closed, batch)
    local list = closed and cmsgpack.unpack(closed) or {}
    for i = 1, #list, 2 do content[list[i]] = list[i + 1] end
    unpacked[batch] = content
  end
  local mutation = content[id] or redis.call('HGET', keys.open, id) or ''
  return { 'miss', lease, batch, '', '', mutation, newest_from }
end
