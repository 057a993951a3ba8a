--- What the server says about itself, and that in a few words for a status line.
--- Fields that an older server does not send are taken for their usual value.

local M = {}

---@class rest_lsp.Status
---@field state 'loading'|'indexing'|'ready'|'busy'|'paused'|'error'
---@field reason? string
---@field fix? string
---@field progress? string
---@field percent? integer
---@field enabled? boolean
---@field disabledLanguages? string[]
---@field snoozedUntil? integer Milliseconds since the epoch.
---@field model? string
---@field device? string

---@type table<integer, rest_lsp.Status> The last status of each client.
local known = {}

--- Without the nulls of JSON.
---@param raw table
---@return rest_lsp.Status
local function cleaned(raw)
  local status = {}
  for name, value in pairs(raw) do
    if value ~= vim.NIL then
      status[name] = value
    end
  end
  return status --[[@as rest_lsp.Status]]
end

--- Whether the model is there now and was not before, so that what was asked for meanwhile may be asked for again.
---@param client_id integer
---@param raw table
---@return boolean
function M.ends_loading(client_id, raw)
  local before = known[client_id]
  local is_there = raw.state ~= 'loading' and raw.state ~= 'error'
  return is_there and before ~= nil and before.state == 'loading'
end

--- Take in what the server has sent, and let status lines know.
---@param client_id integer
---@param raw table
---@return rest_lsp.Status
function M.update(client_id, raw)
  known[client_id] = cleaned(raw)
  vim.cmd.redrawstatus({ bang = true })
  vim.api.nvim_exec_autocmds('User', { pattern = 'RestLspStatus', data = known[client_id], modeline = false })
  return known[client_id]
end

--- What the server of a buffer has last said; nil where none is attached or it has said nothing yet.
---@param bufnr? integer
---@return rest_lsp.Status?
function M.of(bufnr)
  local client = vim.lsp.get_clients({ name = require('rest_lsp.server').NAME, bufnr = bufnr or 0 })[1]
  return client and known[client.id]
end

---@param status rest_lsp.Status
---@return string
local function paused(status)
  if status.snoozedUntil then
    return 'paused until ' .. os.date('%H:%M', math.floor(status.snoozedUntil / 1000))
  end
  return 'paused'
end

--- Progress that begins with a word says itself what is done; files are counted; else there is a share.
---@param status rest_lsp.Status
---@return string
local function progress(status)
  if status.progress and status.progress:match('^%a') then
    return status.progress
  elseif status.progress and (status.state == 'indexing' or not status.percent) then
    return status.state .. ' ' .. status.progress
  end
  return status.percent and ('%s %d %%'):format(status.state, status.percent) or status.state
end

--- A status in words: "downloading 40 %", "indexing 1,204 files", "ready", "paused until 15:40".
---@param status rest_lsp.Status
---@param filetype? string
---@return string
function M.describe(status, filetype)
  if status.state == 'paused' or status.snoozedUntil or status.enabled == false then
    return paused(status)
  elseif filetype and vim.list_contains(status.disabledLanguages or {}, filetype) then
    return 'off for ' .. filetype
  elseif status.state == 'loading' or status.state == 'indexing' then
    return progress(status)
  end
  return status.state
end

--- For a status line; empty where no server is attached.
---@return string
function M.text()
  local status = M.of(0)
  return status and 'rest_lsp: ' .. M.describe(status, vim.bo.filetype) or ''
end

return M
