--- Inline completion from a local model: what a configuration calls.
--- Knows which module does what; each is loaded when it is first needed.

local M = {}

---@class rest_lsp.Keymaps
---@field accept? string Take the whole suggestion.
---@field accept_word? string Take its next word.
---@field accept_line? string Take the rest of its line.
---@field next? string Show the next suggestion.
---@field prev? string Show the one before.
---@field dismiss? string Hide the suggestion.
---@field trigger? string Ask for one now.

---@class rest_lsp.Opts
---@field cmd? string[] Command that starts the server; without it `rest-lsp` is looked for.
---@field filetypes? string[] File types to complete in; without it all but `exclude_filetypes`.
---@field exclude_filetypes? string[] File types never to complete in.
---@field root_markers? string[] Files and folders that mark the root of a workspace.
---@field keymaps? false|rest_lsp.Keymaps Keys of Insert mode; false sets none.
---@field debounce_ms? integer Milliseconds after a key before a suggestion is asked for.
---@field hide_with_menu? boolean No suggestion while the completion menu is open.
---@field settings? rest_lsp.Settings Options of the server.

--- Register the server and set the keys.  The server itself starts with the first file that it may complete in.
---@param opts? rest_lsp.Opts
function M.setup(opts)
  local options = require('rest_lsp.options')
  local problems = options.apply(opts or {})
  for _, problem in ipairs(problems) do
    vim.notify('rest_lsp: ' .. problem, vim.log.levels.WARN)
  end
  if vim.fn.has('nvim-0.12') == 0 then
    vim.notify('rest_lsp: Neovim 0.12 or later is needed to show inline completions.', vim.log.levels.ERROR)
    return
  end
  require('rest_lsp.server').register()
  require('rest_lsp.keymaps').set(options.current.keymaps)
end

--- Take the whole suggestion; false when there is none that fits what is typed.
---@return boolean
function M.accept()
  return require('rest_lsp.suggestion').accept('whole')
end

--- Take the next word of the suggestion.
---@return boolean
function M.accept_word()
  return require('rest_lsp.suggestion').accept('word')
end

--- Take the suggestion up to the end of its line.
---@return boolean
function M.accept_line()
  return require('rest_lsp.suggestion').accept('line')
end

--- Show the next suggestion; where there is only one, ask for others.
---@return boolean
function M.next()
  return require('rest_lsp.suggestion').cycle(1)
end

--- Show the suggestion before.
---@return boolean
function M.prev()
  return require('rest_lsp.suggestion').cycle(-1)
end

--- Hide the suggestion until something is typed.
---@return boolean
function M.dismiss()
  return require('rest_lsp.suggestion').dismiss()
end

--- Ask for suggestions now, with more time and several to choose from.
---@return boolean
function M.trigger()
  return require('rest_lsp.suggestion').trigger()
end

--- Whether a suggestion is shown that `accept()` would take.
---@return boolean
function M.is_visible()
  return require('rest_lsp.suggestion').is_visible()
end

--- The server's state in a few words, empty where no server is attached.
---@return string
function M.statusline()
  return require('rest_lsp.status').text()
end

return M
