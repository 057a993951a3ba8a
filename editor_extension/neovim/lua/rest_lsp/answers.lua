--- Stands between Neovim and the server: what an answer was made for, and whether it still fits when it arrives.
--- Neovim shows an answer wherever it lands; here a late one is moved to where its text continues, or dropped.

local edit = require('rest_lsp.edit')
local options = require('rest_lsp.options')

local M = {}

local METHOD = 'textDocument/inlineCompletion'

---@class rest_lsp.Asked
---@field bufnr integer
---@field row integer
---@field line string
---@field tick integer
---@field cursor integer

---@type table<lsp.InlineCompletionItem, rest_lsp.Place>
local places = setmetatable({}, { __mode = 'k' })
---@type table<integer, { tick: integer, cursor: integer[] }> Where a suggestion was dismissed, by buffer.
local dismissed = {}

--- Where `item` belongs; nil for one that came another way.
---@param item lsp.InlineCompletionItem
---@return rest_lsp.Place?
function M.place(item)
  return places[item]
end

---@param bufnr integer
---@param row integer
---@return string
local function line_at(bufnr, row)
  return vim.api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1] or ''
end

--- An item for `text`, to be shown in `row` of the buffer, from `first` to `last` of its line; `cursor` between them
--- parts what has been typed of it from what it replaces.
---@param bufnr integer
---@param row integer
---@param first integer
---@param cursor integer
---@param last integer
---@param text string
---@param encoding string
---@param origin lsp.InlineCompletionItem
---@return lsp.InlineCompletionItem
function M.item(bufnr, row, first, cursor, last, text, encoding, origin)
  local line = line_at(bufnr, row)
  local function position(column)
    return { line = row, character = vim.str_utfindex(line, encoding, column, false) }
  end
  local item = {
    insertText = text,
    range = { start = position(first), ['end'] = position(last) },
    command = origin.command,
  }
  places[item] = { line = line, first = first, last = last, n_replaced = last - cursor }
  return item
end

--- Answers are dropped until the buffer or the cursor changes.
---@param bufnr integer
function M.dismiss(bufnr)
  dismissed[bufnr] =
    { tick = vim.api.nvim_buf_get_changedtick(bufnr), cursor = vim.api.nvim_win_get_cursor(0) }
end

---@param bufnr integer
function M.forget_dismissal(bufnr)
  dismissed[bufnr] = nil
end

---@param bufnr integer
---@return boolean
local function is_dismissed(bufnr)
  local mark = dismissed[bufnr]
  return mark ~= nil
    and mark.tick == vim.api.nvim_buf_get_changedtick(bufnr)
    and vim.deep_equal(mark.cursor, vim.api.nvim_win_get_cursor(0))
end

--- `item` for the line as it is now, or nil when that is not what it continues.
---@param item lsp.InlineCompletionItem
---@param asked rest_lsp.Asked
---@param encoding string
---@return lsp.InlineCompletionItem?
local function moved(item, asked, encoding)
  local text = item.insertText
  if type(text) ~= 'string' or text == '' then
    return nil
  end
  local first, last = asked.cursor, asked.cursor
  if item.range and item.range ~= vim.NIL then
    if item.range.start.line ~= asked.row or item.range['end'].line ~= asked.row then
      return nil
    end
    first = vim.str_byteindex(asked.line, encoding, item.range.start.character, false)
    last = vim.str_byteindex(asked.line, encoding, item.range['end'].character, false)
  end
  local cursor = vim.api.nvim_win_get_cursor(0)[2]
  local place = { line = asked.line, first = first, last = last, n_replaced = math.max(last - asked.cursor, 0) }
  local rest = edit.rest(place, text, line_at(asked.bufnr, asked.row), cursor)
  return rest and M.item(asked.bufnr, asked.row, first, cursor, rest.last, text, encoding, item)
end

--- Whether the person is still where the question was asked.
---@param asked rest_lsp.Asked
---@return boolean
local function is_there(asked)
  return vim.api.nvim_get_current_buf() == asked.bufnr
    and vim.startswith(vim.api.nvim_get_mode().mode, 'i')
    and vim.api.nvim_win_get_cursor(0)[1] - 1 == asked.row
end

--- What Neovim is to be told: items that fit, an empty list to clear, nil to leave what is shown.
---@param result any
---@param asked rest_lsp.Asked
---@param encoding string
---@return lsp.InlineCompletionItem[]?
local function fitting(result, asked, encoding)
  if type(result) ~= 'table' or not is_there(asked) then
    return nil
  end
  if is_dismissed(asked.bufnr) or options.current.hide_with_menu and vim.fn.pumvisible() == 1 then
    return nil
  end
  local items = result.items or result
  if #items == 0 then
    return vim.api.nvim_buf_get_changedtick(asked.bufnr) == asked.tick and {} or nil
  end
  local kept = vim.iter(items):map(function(item)
    return moved(item, asked, encoding)
  end):totable()
  return #kept > 0 and kept or nil
end

--- Adds what Copilot's dialect has: the version, so that a stale question is not worked on, and how the buffer indents.
---@param params lsp.InlineCompletionParams
---@param bufnr integer
local function extend(params, bufnr)
  params.textDocument.version = vim.lsp.util.buf_versions[bufnr]
  params.formattingOptions = { tabSize = vim.lsp.util.get_effective_tabstop(bufnr), insertSpaces = vim.bo[bufnr].expandtab }
end

---@param params lsp.InlineCompletionParams
---@return rest_lsp.Asked
local function asked_for(params)
  local bufnr = vim.uri_to_bufnr(params.textDocument.uri)
  return {
    bufnr = bufnr,
    row = params.position.line,
    line = line_at(bufnr, params.position.line),
    tick = vim.api.nvim_buf_get_changedtick(bufnr),
    cursor = vim.api.nvim_win_get_cursor(0)[2],
  }
end

--- Tell the server that the person sees `item`, as Copilot's dialect has it.
---@param rpc vim.lsp.rpc.PublicClient
---@param item lsp.InlineCompletionItem
local function report_shown(rpc, item)
  if item.command then
    rpc.notify('textDocument/didShowCompletion', { item = item })
  end
end

--- A connection that does the same as `rpc`, with answers that fit.
---@param rpc vim.lsp.rpc.PublicClient
---@return vim.lsp.rpc.PublicClient
function M.watch(rpc)
  local request = rpc.request
  local encoding = 'utf-16'
  rpc.request = function(method, params, callback, ...)
    if method == 'initialize' then
      return request(method, params, function(err, result)
        encoding = vim.tbl_get(result or {}, 'capabilities', 'positionEncoding') or encoding
        callback(err, result)
      end, ...)
    elseif method ~= METHOD then
      return request(method, params, callback, ...)
    end
    local asked = asked_for(params)
    extend(params, asked.bufnr)
    return request(method, params, function(err, result)
      local items = not err and vim.api.nvim_buf_is_loaded(asked.bufnr) and fitting(result, asked, encoding) or nil
      callback(err, items)
      if items and items[1] then
        report_shown(rpc, items[1])
      end
    end, ...)
  end
  return rpc
end

return M
