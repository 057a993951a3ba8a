--- Shows what commands bring: text in a window of its own, places in the quickfix list.

local M = {}

--- Open a window with `lines` that closes with `q`.
---@param title string
---@param lines string[]
---@return integer bufnr
function M.scratch(title, lines)
  local name = 'restlsp://' .. title
  local bufnr = vim.fn.bufnr('^' .. vim.fn.escape(name, '[]*?') .. '$')
  if bufnr == -1 then
    bufnr = vim.api.nvim_create_buf(false, true)
    vim.api.nvim_buf_set_name(bufnr, name)
  end
  vim.bo[bufnr].buftype, vim.bo[bufnr].bufhidden, vim.bo[bufnr].swapfile = 'nofile', 'wipe', false
  vim.bo[bufnr].modifiable = true
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, lines)
  vim.bo[bufnr].modifiable = false
  local shown = vim.fn.bufwinid(bufnr)
  if shown ~= -1 then
    vim.api.nvim_set_current_win(shown)
  else
    local height = math.max(3, math.min(#lines + 1, math.floor(vim.o.lines / 2)))
    vim.cmd(('botright %dnew'):format(height))
    vim.api.nvim_win_set_buf(0, bufnr)
  end
  vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = bufnr, desc = 'Close' })
  return bufnr
end

---@class rest_lsp.Source
---@field path string
---@field uri? string
---@field line integer From zero.
---@field tokens integer

---@param source rest_lsp.Source
---@param root? string
---@return string
local function file_of(source, root)
  if source.uri and source.uri ~= vim.NIL then
    return vim.uri_to_fname(source.uri)
  end
  local is_absolute = vim.startswith(source.path, '/') or source.path:match('^%a:[/\\]')
  return root and not is_absolute and vim.fs.joinpath(root, source.path) or source.path
end

--- Put the places that the last suggestion was drafted from into the quickfix list.
---@param explained { tokens?: integer, forwards?: integer, accepted?: integer, sources: rest_lsp.Source[] }
---@param root? string
function M.sources(explained, root)
  local items = vim.iter(explained.sources):map(function(source)
    return {
      filename = file_of(source, root),
      lnum = source.line + 1,
      col = 1,
      text = ('%d token%s drafted from here'):format(source.tokens, source.tokens == 1 and '' or 's'),
    }
  end):totable()
  local title = 'rest_lsp: sources of the last suggestion'
  if explained.tokens and explained.forwards then
    title = ('rest_lsp: %d tokens in %d passes of the model, %d drafted'):format(
      explained.tokens, explained.forwards, explained.accepted or 0)
  end
  vim.fn.setqflist({}, ' ', { title = title, items = items })
  vim.cmd('botright copen')
end

--- A nested table as indented lines, in the order of its names.
---@param value any
---@param indent? string
---@return string[]
function M.lines(value, indent)
  indent = indent or ''
  local lines = {}
  for name, item in vim.spairs(value) do
    local label = type(name) == 'number' and '-' or name .. ':'
    if type(item) == 'table' and next(item) then
      table.insert(lines, indent .. label)
      vim.list_extend(lines, M.lines(item, indent .. '  '))
    elseif item ~= vim.NIL then
      local text = type(item) == 'table' and 'none' or type(item) == 'number' and ('%.6g'):format(item) or tostring(item)
      vim.list_extend(lines, vim.split(('%s%s %s'):format(indent, label, text), '\n'))
    end
  end
  return lines
end

return M
