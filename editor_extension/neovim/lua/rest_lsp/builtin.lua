--- The one door to what Neovim's inline completion keeps to itself.
--- Neovim shows suggestions, chooses among them and asks for them after 200 ms.  It has no public way to take a part, to
--- read what is shown, or to ask at once; here each such access is checked, so that another version costs features only.

local M = {}

local NEEDED = { 'abort', 'handler', 'request', 'reset_timer', 'get_item' }

---@param bufnr integer
---@return table? completor Nil when the buffer has none, or one of another shape.
local function completor_of(bufnr)
  local found, capability = pcall(require, 'vim.lsp._capability')
  local kind = found and vim.tbl_get(capability, 'all', 'inline_completion')
  local completor = kind and kind.active and kind.active[bufnr]
  return completor and M.missing(completor) == nil and completor or nil
end

--- The name of the first thing that this version of Neovim lacks; nil when all is as expected.
---@param completor? table
---@return string?
function M.missing(completor)
  local found, capability = pcall(require, 'vim.lsp._capability')
  local kind = completor or found and vim.tbl_get(capability, 'all', 'inline_completion')
  if not kind then
    return 'vim.lsp._capability'
  end
  for _, name in ipairs(NEEDED) do
    if type(kind[name]) ~= 'function' then
      return name
    end
  end
end

---@class rest_lsp.Shown
---@field client_id integer
---@field item lsp.InlineCompletionItem The very table that the answer held.

--- What the buffer shows now.
---@param bufnr integer
---@return rest_lsp.Shown?
function M.shown(bufnr)
  local completor = completor_of(bufnr)
  if not completor or not completor.current then
    return nil
  end
  local client_id, item = completor:get_item(completor.current._index)
  return client_id and item and { client_id = client_id, item = item } or nil
end

--- How many suggestions there are to choose from.
---@param bufnr integer
---@return integer
function M.count(bufnr)
  local completor, count = completor_of(bufnr), 0
  for _, state in pairs(completor and completor.client_state or {}) do
    count = count + #(state.items or {})
  end
  return count
end

--- Show nothing, and forget what was asked for.
---@param bufnr integer
function M.clear(bufnr)
  local completor = completor_of(bufnr)
  if completor then
    completor:reset_timer()
    completor:abort()
    for _, state in pairs(completor.client_state) do
      state.items = nil
    end
  end
end

--- Show `item` as if the server had just sent it.
---@param bufnr integer
---@param client_id integer
---@param item lsp.InlineCompletionItem
function M.offer(bufnr, client_id, item)
  local completor = completor_of(bufnr)
  if completor and completor.client_state[client_id] then
    completor:handler(nil, { item }, {
      bufnr = bufnr,
      client_id = client_id,
      method = 'textDocument/inlineCompletion',
      version = vim.lsp.util.buf_versions[bufnr],
    })
  end
end

--- Ask after `delay_ms` in place of Neovim's own 200 ms.
---@param bufnr integer
---@param delay_ms integer
function M.request_soon(bufnr, delay_ms)
  local completor = completor_of(bufnr)
  if not completor then
    return
  end
  completor:reset_timer()
  completor.timer = vim.defer_fn(function()
    if vim.startswith(vim.api.nvim_get_mode().mode, 'i') and vim.api.nvim_get_current_buf() == bufnr then
      completor:request(vim.lsp.protocol.InlineCompletionTriggerKind.Automatic)
    end
  end, delay_ms)
end

--- Ask now, as when a key asks: with more time, and for several.
---@param bufnr integer
---@return boolean asked
function M.request_now(bufnr)
  local completor = completor_of(bufnr)
  if not completor or not next(completor.client_state) then
    return false
  end
  completor:reset_timer()
  completor:request(vim.lsp.protocol.InlineCompletionTriggerKind.Invoked)
  return true
end

return M
