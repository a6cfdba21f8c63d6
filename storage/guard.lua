-- The guard says that the windows are complete (or being rebuilt), by this very run of the server.
--
-- KEYS  1: the guard   2: the guard of the rebuild (only to finish one)
-- ARGV  1: check, begin or finish   2: what follows the run id in the guard   3: time to live in ms (only to begin)
-- Gives 1, or 0 when the guard that must be there is not.
local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')

if ARGV[1] == 'begin' then
  redis.call('SET', KEYS[1], run_id .. ARGV[2], 'PX', ARGV[3])
  return 1
end
if ARGV[1] == 'finish' then
  if redis.call('GET', KEYS[2]) ~= run_id .. ARGV[2] then
    return 0
  end
  redis.call('SET', KEYS[1], run_id)
  redis.call('DEL', KEYS[2])
  return 1
end
return redis.call('GET', KEYS[1]) == run_id .. ARGV[2] and 1 or 0
