-- Plays the lines of a file, "METHOD PATH BODY", over and over.
-- Arguments: the file, a prefix for every path, an API key, where to begin (0 to 1).

local prepared, at = {}, 0

function init(args)
  local file, prefix, key, start = args[1], args[2], args[3], tonumber(args[4])
  for line in io.lines(file) do
    local method, path, body = line:match("^(%S+) (%S+) ?(.*)$")
    local headers = { ["Authorization"] = "Bearer " .. key }
    if body ~= "" then
      headers["Content-Type"] = "application/json"
    elseif method == "GET" then
      body = nil
    end
    prepared[#prepared + 1] = wrk.format(method, prefix .. path, headers, body)
  end
  at = math.floor(start * #prepared)
end

function request()
  at = at % #prepared + 1
  return prepared[at]
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"duration_us":%d,"errors":%d,"p50_us":%d,"p99_us":%d}\n',
    summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)
  ))
end
