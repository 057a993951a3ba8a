--- Where the server is: the option, the path, the active environment, the workspace's own environment.

local options = require('rest_lsp.options')

local M = {}

local IS_WINDOWS = vim.fn.has('win32') == 1
M.FIX = 'Install it with `pip install rest-lsp` and restart Neovim, or set `cmd` in setup() to where it is.'

---@class rest_lsp.Found
---@field cmd string[]
---@field from string Where it was found, for people.

---@param environment string
---@return string
local function script_in(environment)
  return vim.fs.joinpath(environment, IS_WINDOWS and 'Scripts/rest-lsp.exe' or 'bin/rest-lsp')
end

--- Programs to try, in order, with a name for each place.
---@param root? string
---@return [string, string][]
local function candidates(root)
  local list = { { 'rest-lsp', '$PATH' } }
  for _, variable in ipairs({ 'VIRTUAL_ENV', 'CONDA_PREFIX' }) do
    if vim.env[variable] then
      table.insert(list, { script_in(vim.env[variable]), '$' .. variable })
    end
  end
  for _, folder in ipairs(root and { '.venv', 'venv' } or {}) do
    table.insert(list, { script_in(vim.fs.joinpath(root, folder)), folder .. ' of the workspace' })
  end
  return list
end

--- The command that starts the server; else nil, and one sentence on what is missing.
---@param root? string
---@return rest_lsp.Found? found
---@return string? problem
function M.server(root)
  local chosen = options.current.cmd
  if chosen then
    if vim.fn.executable(chosen[1]) == 1 then
      return { cmd = chosen, from = 'the option cmd' }
    end
    return nil, ('The server %s, which the option cmd names, cannot be run.'):format(chosen[1])
  end
  for _, candidate in ipairs(candidates(root)) do
    if vim.fn.executable(candidate[1]) == 1 then
      return { cmd = { vim.fn.exepath(candidate[1]), 'serve' }, from = candidate[2] }
    end
  end
  return nil, 'The server rest-lsp was not found on the path or in an active Python environment.'
end

return M
