--- Keys of Insert mode.  A key that has nothing to do does what it did before: the user's own mapping, or itself.

local M = {}

local DESCRIPTIONS = {
  accept = 'take the suggestion',
  accept_word = 'take the next word of the suggestion',
  accept_line = 'take the suggestion up to the end of the line',
  next = 'show the next suggestion',
  prev = 'show the suggestion before',
  dismiss = 'hide the suggestion',
  trigger = 'ask for a suggestion',
}

---@param keys string
---@return string
local function typed(keys)
  return vim.api.nvim_replace_termcodes(keys, true, true, true)
end

--- The mapping of `key` in Insert mode that is not of a buffer alone.
---@param key string
---@return table?
local function former(key)
  for _, mapping in ipairs(vim.api.nvim_get_keymap('i')) do
    if typed(mapping.lhs) == typed(key) then
      return mapping
    end
  end
end

--- Do what a mapping does, ahead of everything that has been typed since.
---@param mapping table
local function run(mapping)
  local keys
  if mapping.callback then
    keys = mapping.callback()
  elseif mapping.expr == 1 then
    keys = vim.api.nvim_eval(mapping.rhs)
  else
    keys = (mapping.rhs:gsub('<SID>', ('<SNR>%d_'):format(mapping.sid)))
  end
  if mapping.expr ~= 1 and mapping.callback or type(keys) ~= 'string' then
    return
  end
  local is_raw = mapping.expr == 1 and mapping.replace_keycodes ~= 1
  vim.api.nvim_feedkeys(is_raw and keys or typed(keys), mapping.noremap == 1 and 'in' or 'im', false)
end

--- Whether a key that nobody has mapped ends Insert mode: with Alt, Neovim takes it for <Esc> and the key.
---@param key string
---@return boolean
local function leaves_insert(key)
  return vim.fn.keytrans(typed(key)):match('^<[^>]*M%-') ~= nil
end

--- A suggestion may be taken while the menu is closed; an open menu has the key for itself.
---@param action string
---@return boolean
local function try(action)
  local is_menu_first = action ~= 'trigger' and vim.fn.pumvisible() == 1
  return not is_menu_first and require('rest_lsp')[action]()
end

--- Set the keys that were asked for.
---@param keymaps false|rest_lsp.Keymaps
function M.set(keymaps)
  for action, key in pairs(keymaps or {}) do
    local fallback = former(key)
    -- setup() may run twice: what was there before is what was there before the first time.
    if fallback and fallback.desc and vim.startswith(fallback.desc, 'rest_lsp: ') then
      fallback = M.fallbacks[typed(key)]
    end
    M.fallbacks[typed(key)] = fallback
    vim.keymap.set('i', key, function()
      if not try(action) then
        if fallback then
          run(fallback)
        elseif not leaves_insert(key) then
          vim.api.nvim_feedkeys(typed(key), 'in', false)
        end
      end
    end, { desc = 'rest_lsp: ' .. DESCRIPTIONS[action], silent = true })
  end
end

---@type table<string, table?>
M.fallbacks = {}

return M
