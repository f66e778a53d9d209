-- The same operation over HTTP, driven by wrk.
--
--   wrk --threads 2 --connections 32 --duration 10s --script service.lua URL -- FILE THREADS [PAUSE [fresh]]
--
-- The file has one request a line: method, path, token, body, mark, and `once` if the request has an Idempotency-
-- Key, divided by tabs; threads share the lines out among themselves. PAUSE is how many milliseconds a connection
-- rests before each request, on average: at random, as clients that know nothing of each other do. With `fresh`,
-- each request has a connection of its own. Prints the outcome as a line of JSON.

local threads = {}

function setup(thread)
  thread:set("number", #threads)
  threads[#threads + 1] = thread
end

-- As long as a browser's. LuaJIT tells strings apart by four of their bytes at the beginning, the end, the middle and
-- the first quarter: many that are the same there take it minutes to read. The mark is in the first quarter of each
-- request.
local function user_agent(mark) return mark:rep(14) end

local function format(method, path, token, body, mark, is_fresh, key)
  local request_line = method .. " " .. path .. " HTTP/1.1"
  local lines = { request_line, "Host: " .. wrk.headers["Host"], "User-Agent: " .. user_agent(mark) }
  if is_fresh then lines[#lines + 1] = "Connection: close" end
  if token ~= "" then lines[#lines + 1] = "Authorization: Bearer " .. token end
  if key then lines[#lines + 1] = "Idempotency-Key: " .. key end
  if body ~= "" then
    lines[#lines + 1] = "Content-Type: application/json"
    lines[#lines + 1] = "Content-Length: " .. #body
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. body
end

function init(arguments)
  requests, sent, begun = {}, 0, os.time()
  local is_fresh = arguments[4] == "fresh"
  for line in io.lines(arguments[1]) do
    local method, path, token, body, mark, once = line:match("^(.-)\t(.-)\t(.-)\t(.*)\t(.-)\t(.-)$")
    if once == "once" then
      -- Each has a key of its own, whenever it is made again.
      requests[#requests + 1] = function()
        sent = sent + 1
        local key = string.format("%08x-%d-%d", sent, number, begun)
        return format(method, path, token, body, key:sub(1, 8), is_fresh, key)
      end
    else
      requests[#requests + 1] = format(method, path, token, body, mark, is_fresh)
    end
  end
  position = number
  step = tonumber(arguments[2])
  local pause = tonumber(arguments[3] or 0)
  if pause > 0 then
    math.randomseed(number + 1)
    delay = function() return math.random(0, 2 * pause) end
  end
end

function request()
  local text = requests[position % #requests + 1]
  position = position + step
  return type(text) == "function" and text() or text
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.3f, "p50_ms": %.3f, "p99_ms": %.3f, "max_ms": %.3f, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout
  ))
end
