-- Shared by the scripts that free slots; the loader puts it after the prelude where a script asks for it.

-- Slots that no batch names any more become free. `sent` lists the batches that are under way.
local function free_slot(sent_key, free_key, slot)
  local sent = redis.call('HVALS', sent_key)
  for i = 1, #sent do
    if string.match(sent[i], '^%d+') == slot then return end
  end
  redis.call('LREM', free_key, 0, slot)
  redis.call('RPUSH', free_key, slot)
end
