-- Defines `:RestLsp` and nothing else; everything behind it is loaded when it is used.
if vim.g.loaded_rest_lsp then
  return
end
vim.g.loaded_rest_lsp = true

vim.api.nvim_create_user_command('RestLsp', function(command)
  require('rest_lsp.commands').run(command.fargs)
end, {
  nargs = '*',
  desc = 'rest_lsp: inline completion from a local model',
  complete = function(_, line, column)
    return require('rest_lsp.commands').complete(line:sub(1, column))
  end,
})
