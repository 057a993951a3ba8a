--- Checks options of the server against its declaration before they are sent.

local spelling = require('rest_lsp.spelling')
local declared = require('rest_lsp.server_options')

local M = {}

---@param option rest_lsp.ServerOption
---@param value any
---@return boolean
local function fits(option, value)
  if option.kind == 'boolean' then
    return type(value) == 'boolean'
  elseif option.kind == 'word' then
    return vim.list_contains(option.words, value)
  elseif option.kind == 'list' then
    return vim.islist(value)
  elseif option.kind == 'text' then
    return type(value) == 'string'
  end
  local is_number = type(value) == 'number' and (option.kind == 'number' or value % 1 == 0)
  local above = is_number and (option.is_open and value > option.low or not option.is_open and value >= option.low)
  return above and value <= option.high
end

--- `maxTokens` and `max_tokens` are the same name.
---@param name any
---@return string
local function snake_case(name)
  return (tostring(name):gsub('%u', function(upper)
    return '_' .. upper:lower()
  end))
end

--- Options by their dotted path.  `model = "name"` is short for `model.name`.
---@param settings table
---@return table<string, any>
local function flattened(settings)
  local flat = {}
  for section, values in vim.spairs(settings) do
    section = snake_case(section)
    if type(values) ~= 'table' then
      flat[section:find('.', 1, true) and section or section .. '.name'] = values
    else
      for name, value in vim.spairs(values) do
        flat[section .. '.' .. snake_case(name)] = value
      end
    end
  end
  return flat
end

--- The settings that can be used, by section; appends a sentence for each other one to `problems`.
---@param settings table
---@param problems string[]
---@return table<string, table<string, any>>
function M.checked(settings, problems)
  local good, by_path, paths = {}, {}, {}
  for _, option in ipairs(declared) do
    by_path[option.path] = option
    table.insert(paths, option.path)
  end
  for path, value in vim.spairs(flattened(settings)) do
    local option = by_path[path]
    if not option then
      local hint = spelling.hint(path, paths, 'settings.')
      table.insert(problems, ('settings.%s is not an option.%s'):format(path, hint))
    elseif not fits(option, value) then
      local shown = vim.inspect(value, { newline = ' ', indent = '' })
      local hint = option.words and type(value) == 'string' and spelling.hint(value, option.words) or ''
      table.insert(problems, ('settings.%s = %s is ignored: it takes %s.%s'):format(path, shown, option.takes, hint))
    else
      local section, name = path:match('^([^.]+)%.(.+)$')
      good[section] = good[section] or {}
      good[section][name] = value
    end
  end
  return good
end

return M
