-- Leaky bucket; see bucket.rs, whose arithmetic this is.
-- ARGV: requests per second, burst. Returns: admitted, microseconds to wait.
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('time')
local now = time[1] + time[2] / 1000000
local held = redis.call('hmget', KEYS[1], 'excess', 'last')
local excess = 0
if held[1] and held[2] then
  excess = math.max(tonumber(held[1]) - rate * math.max(now - tonumber(held[2]), 0) + 1, 0)
end
if excess > burst then
  return {0, 0}
end
redis.call('hset', KEYS[1], 'excess', string.format('%.9f', excess), 'last', string.format('%.6f', now))
-- From then on the bucket is as good as new.
redis.call('pexpire', KEYS[1], string.format('%.0f', math.min(math.ceil((excess + 1) / rate * 1000) + 1, 1e12)))
return {1, math.min(math.floor(excess / rate * 1000000), 1e15)}
