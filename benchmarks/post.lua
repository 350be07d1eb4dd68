-- wrk script: posts chat calls that differ in their order number, and reports as one line of JSON.
-- Arguments: FILE [EVERY=FILE] ["Name: value" ...]; with EVERY=FILE each EVERYth request carries that body instead.

local ORDER = "00000000"

local function contents(path)
  local file = assert(io.open(path, "rb"))
  local body = file:read("*a")
  file:close()
  return body
end

local function split(message)
  local from, to = assert(message:find(ORDER, 1, true))
  return message:sub(1, from - 1), message:sub(to + 1)
end

function init(args)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  local every, large_body = 0, nil
  for index = 2, #args do
    local step, path = args[index]:match("^(%d+)=(.+)$")
    if step then
      every, large_body = tonumber(step), contents(path)
    else
      local name, value = args[index]:match("^([^:]+): (.*)$")
      wrk.headers[name] = value
    end
  end
  local head, tail = split(wrk.format(nil, nil, nil, contents(args[1])))
  local large_head, large_tail
  if every > 0 then large_head, large_tail = split(wrk.format(nil, nil, nil, large_body)) end
  -- Runs of one benchmark start at different numbers, so that they do not repeat each other's requests.
  local count = os.time() % 10000 * 10000
  request = function()
    count = count + 1
    local number = string.format("%08d", count % 100000000)
    if every > 0 and count % every == 0 then return large_head .. number .. large_tail end
    return head .. number .. tail
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests": %d, "seconds": %.6f, "p50_us": %d, "p99_us": %d, "status": %d, "socket": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
