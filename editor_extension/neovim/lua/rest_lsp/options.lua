--- Options of the plugin, each declared once; those of the server come from `server_options`.
--- A value that cannot be used costs one message and is ignored.

local spelling = require('rest_lsp.spelling')

local M = {}

---@class rest_lsp.Declared
---@field name string
---@field takes string In words, for messages and the help.
---@field default any
---@field fits fun(value: any): boolean

---@param value any
---@return boolean
local function is_texts(value)
  return vim.islist(value) and vim.iter(value):all(function(item)
    return type(item) == 'string'
  end)
end

--- Keys that `keymaps = {…}` may name.  None is set unless it is asked for.
M.actions = { 'accept', 'accept_word', 'accept_line', 'next', 'prev', 'dismiss', 'trigger' }

---@type rest_lsp.Declared[]
M.declared = {
  {
    name = 'cmd',
    takes = 'a list of texts, as in { "/path/to/rest-lsp", "serve" }',
    fits = function(value)
      return is_texts(value) and #value > 0
    end,
  },
  { name = 'filetypes', takes = 'a list of texts', fits = is_texts },
  {
    name = 'exclude_filetypes',
    takes = 'a list of texts',
    default = { 'help', 'gitcommit', 'gitrebase', 'netrw', 'qf' },
    fits = is_texts,
  },
  { name = 'root_markers', takes = 'a list of texts', default = { 'rest-lsp.toml', '.git' }, fits = is_texts },
  {
    name = 'keymaps',
    takes = 'false or a table of keys',
    default = false,
    fits = function(value)
      return value == false or type(value) == 'table'
    end,
  },
  {
    name = 'debounce_ms',
    takes = 'a whole number from 0 to 2000',
    default = 50,
    fits = function(value)
      return type(value) == 'number' and value % 1 == 0 and value >= 0 and value <= 2000
    end,
  },
  {
    name = 'hide_with_menu',
    takes = 'true or false',
    default = true,
    fits = function(value)
      return type(value) == 'boolean'
    end,
  },
  {
    name = 'settings',
    takes = 'a table with options of the server',
    default = {},
    fits = function(value)
      return type(value) == 'table'
    end,
  },
}

---@return rest_lsp.Opts
local function defaults()
  local values = {}
  for _, option in ipairs(M.declared) do
    values[option.name] = vim.deepcopy(option.default)
  end
  return values
end

--- The options in force.
M.current = defaults()

---@param keys table<string, any>
---@param problems string[]
---@return rest_lsp.Keymaps
local function checked_keymaps(keys, problems)
  local good = {}
  for action, key in vim.spairs(keys) do
    if not vim.list_contains(M.actions, action) then
      local hint = spelling.hint(tostring(action), M.actions, 'keymaps.')
      table.insert(problems, ('keymaps.%s is not an option.%s'):format(action, hint))
    elseif key and type(key) ~= 'string' then
      table.insert(problems, ('keymaps.%s = %s is ignored: it takes a key.'):format(action, vim.inspect(key)))
    elseif key then
      good[action] = key
    end
  end
  return good
end

--- Put `opts` in force on top of the defaults; returns a sentence for each that is not usable.
---@param opts rest_lsp.Opts
---@return string[] problems
function M.apply(opts)
  local problems, by_name, names = {}, {}, {}
  for _, option in ipairs(M.declared) do
    by_name[option.name] = option
    table.insert(names, option.name)
  end
  M.current = defaults()
  for name, value in vim.spairs(opts) do
    local option = by_name[name]
    if not option then
      local hint = spelling.hint(tostring(name), names)
      table.insert(problems, ('%s is not an option of setup().%s'):format(name, hint))
    elseif not option.fits(value) then
      local shown = vim.inspect(value, { newline = ' ', indent = '' })
      table.insert(problems, ('%s = %s is ignored: it takes %s.'):format(name, shown, option.takes))
    else
      M.current[name] = value
    end
  end
  if M.current.keymaps then
    M.current.keymaps = checked_keymaps(M.current.keymaps --[[@as table]], problems)
  end
  M.current.settings = require('rest_lsp.settings').checked(M.current.settings, problems)
  return problems
end

return M
