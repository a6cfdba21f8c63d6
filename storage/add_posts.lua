-- Adds posts to buckets, in one step that nobody sees half done. A post that a bucket has seen changes nothing.
--
-- KEYS  1: the guard   2: the symbols, each with its newest minute   3…: one bucket per entry (keys may repeat)
-- ARGV  1: what the guard must hold after the server's run id   2: time to live in milliseconds
--       then for each entry: symbol, minute, post, label, score in millionths, weight in thousandths,
--       score times weight in millionths, author, story
--
-- A bucket is one hash. Fields `negative`, `neutral`, `positive`, `score`, `weight`, `weighted` are numbers;
-- `p<digest>` is a post that was counted, `a<author>` an author, `f<story>` a story. (`f` since versions before this
-- one wrote the fingerprint there, which still stands for the story of a post that lacks one.)
--
-- The guard holds the run id, which is new at each start of the server: a server that came back, with whatever it
-- had saved, may lack the last writes. Gives the positions of the entries that were new.
local ENTRY = 9

local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
if redis.call('GET', KEYS[1]) ~= run_id .. ARGV[1] then
  return redis.error_reply('WINDOWSLOST the windows are not complete')
end

local added = {}
for entry = 1, #KEYS - 2 do
  local bucket = KEYS[entry + 2]
  local at = 3 + (entry - 1) * ENTRY
  if redis.call('HSETNX', bucket, ARGV[at + 2], '') == 1 then
    redis.call('HINCRBY', bucket, ARGV[at + 3], 1)
    redis.call('HINCRBY', bucket, 'score', ARGV[at + 4])
    redis.call('HINCRBY', bucket, 'weight', ARGV[at + 5])
    redis.call('HINCRBY', bucket, 'weighted', ARGV[at + 6])
    redis.call('HSET', bucket, ARGV[at + 7], '', ARGV[at + 8], '')
    redis.call('PEXPIRE', bucket, ARGV[2])
    redis.call('ZADD', KEYS[2], 'GT', ARGV[at + 1], ARGV[at])
    added[#added + 1] = entry
  end
end
if #added > 0 then
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
end
return added
