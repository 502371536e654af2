-- Fixed window: the consumed amount under the key, whose expiry is the end of the window (compat §4.4).
-- ARGV: cost, limit (-1 counts whatever the limit), seconds. Returns: counted, consumed, milliseconds left.
local cost, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local left = redis.call('pttl', KEYS[1])
if left < 0 then
  redis.call('set', KEYS[1], ARGV[1], 'EX', ARGV[3])
  return {1, cost, ARGV[3] * 1000}
end
local consumed = tonumber(redis.call('get', KEYS[1]))
if limit >= 0 and consumed + cost > limit then
  return {0, consumed, left}
end
if cost > 0 then
  consumed = redis.call('incrby', KEYS[1], ARGV[1])
end
return {1, consumed, left}
