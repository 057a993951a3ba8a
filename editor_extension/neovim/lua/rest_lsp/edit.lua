--- Where a suggestion goes in a line that has changed since it was made, and how much of it to take.
--- Pure functions over strings; columns are bytes from zero.

local M = {}

---@class rest_lsp.Place
---@field line string The line when the suggestion was made for it.
---@field first integer Column where the suggestion begins.
---@field last integer Column behind what the suggestion replaces.
---@field n_replaced integer How many bytes before `last` it replaces; what stands before those was typed.

---@class rest_lsp.Rest
---@field text string What of the suggestion is not in the buffer yet.
---@field last integer Column behind what it replaces, in the line as it is now.

--- What remains of `text` when the cursor is at `cursor` of `line`; nil when the two do not belong together.
--- Only typing at the cursor is forgiven: what stands around the suggestion must be what it was made for.
---@param place rest_lsp.Place
---@param text string
---@param line string
---@param cursor integer
---@return rest_lsp.Rest?
function M.rest(place, text, line, cursor)
  local behind = place.line:sub(place.last + 1)
  local last = #line - #behind
  if line:sub(1, place.first) ~= place.line:sub(1, place.first) or line:sub(last + 1) ~= behind then
    return nil
  end
  if cursor < place.first or cursor > last then
    return nil
  end
  local typed, replaced = line:sub(place.first + 1, cursor), line:sub(cursor + 1, last)
  -- What is replaced must be the end of what was to be replaced: nothing that appeared later may vanish.
  if text:sub(1, #typed) ~= typed or place.line:sub(place.last - #replaced + 1, place.last) ~= replaced then
    return nil
  end
  if #replaced > place.n_replaced or #typed == #text then
    return nil
  end
  return { text = text:sub(#typed + 1), last = last }
end

--- The piece of `text` that one key takes.  Bytes of other scripts count as letters.
---@param text string
---@param kind 'whole'|'word'|'line'
---@return string
function M.piece(text, kind)
  if kind == 'word' then
    return text:match('^%s*[%w_\128-\255]+') or text:match('^%s*[^%w%s_\128-\255]+') or text
  elseif kind == 'line' then
    return text:match('^\n*[^\n]+') or text
  end
  return text
end

return M
