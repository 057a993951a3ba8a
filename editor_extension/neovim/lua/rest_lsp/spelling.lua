--- What was probably meant by a word that is not known.

local M = {}

---@param a string
---@param b string
---@return integer distance Characters to insert, delete, replace or swap with their neighbour.
local function distance(a, b)
  local rows = { [0] = {} }
  for j = 0, #b do
    rows[0][j] = j
  end
  for i = 1, #a do
    rows[i] = { [0] = i }
    for j = 1, #b do
      local differs = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + differs)
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        best = math.min(best, rows[i - 2][j - 2] + 1)
      end
      rows[i][j] = best
    end
  end
  return rows[#a][#b]
end

--- The known word that is nearest to `word`; nil when none is near.
---@param word string
---@param known string[]
---@return string?
function M.nearest(word, known)
  local best, least = nil, math.max(2, math.floor(0.4 * #word)) + 1
  for _, candidate in ipairs(known) do
    local cost = distance(word, candidate)
    if cost < least then
      best, least = candidate, cost
    end
  end
  return best
end

--- " Did you mean …?" or nothing.
---@param word string
---@param known string[]
---@param prefix? string Stands before the known words.
---@return string
function M.hint(word, known, prefix)
  local near = M.nearest(word, known)
  return near and (' Did you mean %s%s?'):format(prefix or '', near) or ''
end

return M
