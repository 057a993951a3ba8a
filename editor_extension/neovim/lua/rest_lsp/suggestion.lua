--- The suggestion that is shown: take it or a part of it, choose another, hide it, ask for one.
--- What is taken is inserted behind what has been typed; a suggestion that no longer fits is dropped, never forced in.

local answers = require('rest_lsp.answers')
local builtin = require('rest_lsp.builtin')
local edit = require('rest_lsp.edit')
local options = require('rest_lsp.options')
local server = require('rest_lsp.server')

local M = {}

local api = vim.api

---@class rest_lsp.Current
---@field client vim.lsp.Client
---@field item lsp.InlineCompletionItem
---@field row integer
---@field cursor integer
---@field rest rest_lsp.Rest

--- Ours, if one is shown and fits the line as it is now.
---@param bufnr integer
---@return rest_lsp.Current?
local function current(bufnr)
  local shown = builtin.shown(bufnr)
  local client = shown and vim.lsp.get_client_by_id(shown.client_id)
  local place = shown and answers.place(shown.item)
  if not client or not place then
    return nil
  end
  local row, cursor = unpack(api.nvim_win_get_cursor(0))
  local line = api.nvim_get_current_line()
  local rest = shown.item.range.start.line == row - 1
    and edit.rest(place, shown.item.insertText --[[@as string]], line, cursor)
  return rest and { client = client, item = shown.item, row = row - 1, cursor = cursor, rest = rest } or nil
end

--- Whether another server's suggestion is shown; Neovim takes those itself.
---@param bufnr integer
---@return boolean
local function is_foreign(bufnr)
  local shown = builtin.shown(bufnr)
  local client = shown and vim.lsp.get_client_by_id(shown.client_id)
  return client ~= nil and client.name ~= server.NAME
end

--- One `u` takes back what was accepted, and neither what was typed before it nor after.
---@param bufnr integer
local function close_undo_block(bufnr)
  vim.bo[bufnr].undolevels = vim.bo[bufnr].undolevels
end

--- Insert `piece`, with what it replaces when it is the end of the suggestion.
---@param bufnr integer
---@param now rest_lsp.Current
---@param piece string
---@return integer row, integer cursor, integer last
local function insert(bufnr, now, piece)
  local is_all = #piece == #now.rest.text
  local last = is_all and now.rest.last or now.cursor
  local lines = vim.split(piece, '\n', { plain = true })
  close_undo_block(bufnr)
  api.nvim_buf_set_text(bufnr, now.row, now.cursor, now.row, last, lines)
  close_undo_block(bufnr)
  local row = now.row + #lines - 1
  local cursor = #lines == 1 and now.cursor + #piece or #lines[#lines]
  api.nvim_win_set_cursor(0, { row + 1, cursor })
  return row, cursor, cursor + (is_all and 0 or now.rest.last - now.cursor)
end

--- Take the suggestion, its next word, or the rest of its line.  False, and nothing happens, when none fits.
---@param kind 'whole'|'word'|'line'
---@return boolean
function M.accept(kind)
  local bufnr = api.nvim_get_current_buf()
  if is_foreign(bufnr) then
    return kind == 'whole' and vim.lsp.inline_completion.get({ bufnr = bufnr })
  end
  local now = current(bufnr)
  if not now then
    return false
  end
  local piece = edit.piece(now.rest.text, kind)
  builtin.clear(bufnr)
  local row, cursor, last = insert(bufnr, now, piece)
  local left = now.rest.text:sub(#piece + 1)
  if left ~= '' then
    local item = answers.item(bufnr, row, cursor, cursor, last, left, now.client.offset_encoding, now.item)
    builtin.offer(bufnr, now.client.id, item)
  end
  server.accepted(now.client, now.item, kind, piece)
  return true
end

--- Show the suggestion `count` further on; where there is only one, ask for others.
---@param count integer
---@return boolean
function M.cycle(count)
  local bufnr = api.nvim_get_current_buf()
  if not builtin.shown(bufnr) then
    return false
  end
  if builtin.count(bufnr) == 1 and not is_foreign(bufnr) then
    return builtin.request_now(bufnr)
  end
  vim.lsp.inline_completion.select({ bufnr = bufnr, count = count })
  return true
end

--- Hide what is shown; false when there is nothing to hide.
---@return boolean
function M.dismiss()
  local bufnr = api.nvim_get_current_buf()
  if not builtin.shown(bufnr) then
    return false
  end
  builtin.clear(bufnr)
  answers.dismiss(bufnr)
  return true
end

--- Ask now; false where no server can answer.
---@return boolean
function M.trigger()
  local bufnr = api.nvim_get_current_buf()
  answers.forget_dismissal(bufnr)
  return builtin.request_now(bufnr)
end

---@return boolean
function M.is_visible()
  local bufnr = api.nvim_get_current_buf()
  return current(bufnr) ~= nil or is_foreign(bufnr)
end

--- After each change: what does not continue the typed text goes at once, and the next is asked for soon.
---@param bufnr integer
local function follow(bufnr)
  local shown = builtin.shown(bufnr)
  local is_hidden = options.current.hide_with_menu and vim.fn.pumvisible() == 1
  if shown and not is_foreign(bufnr) and (is_hidden or not current(bufnr)) then
    builtin.clear(bufnr)
  end
  -- Neovim's own timer is set by the same event; whichever comes first, this one replaces it.
  vim.schedule(function()
    if not is_hidden and api.nvim_buf_is_valid(bufnr) then
      builtin.request_soon(bufnr, options.current.debounce_ms)
    end
  end)
end

--- Somebody may have typed while there was no model yet: ask where the cursor is now, unless something is shown.
function M.attend()
  local bufnr = api.nvim_get_current_buf()
  if not builtin.shown(bufnr) then
    builtin.request_soon(bufnr, options.current.debounce_ms)
  end
end

--- Follow what happens in a buffer that the server is attached to.
---@param bufnr integer
function M.attach(bufnr)
  local group = api.nvim_create_augroup('rest_lsp:' .. bufnr, { clear = true })
  api.nvim_create_autocmd({ 'InsertEnter', 'CursorMovedI', 'TextChangedI', 'TextChangedP', 'CompleteDone' }, {
    group = group,
    buffer = bufnr,
    callback = function()
      follow(bufnr)
    end,
  })
  vim.lsp.inline_completion.enable(true, { bufnr = bufnr })
end

return M
