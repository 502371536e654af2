-- A request begins. Who does not leave, since its gateway died, is forgotten after a time.
-- ARGV: name of the request, limit, seconds until it is forgotten. Returns: admitted, requests under way.
local time = redis.call('time')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('zremrangebyscore', KEYS[1], '-inf', string.format('%.0f', now))
local count = redis.call('zcard', KEYS[1])
if count >= tonumber(ARGV[2]) then
  return {0, count}
end
redis.call('zadd', KEYS[1], string.format('%.0f', now + ARGV[3] * 1000), ARGV[1])
redis.call('expire', KEYS[1], ARGV[3])
return {1, count + 1}
