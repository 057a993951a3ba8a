--- The server's life: registered with Neovim, started with the first file, asked, restarted when it dies.

local find = require('rest_lsp.find')
local options = require('rest_lsp.options')

local M = {}

M.NAME = 'rest_lsp'

local MOST_RESTARTS, RESTARTS_WITHIN_S = 3, 120
local KEPT_LOG_LINES = 1000

---@type table<string, true> Messages that have been shown; each is shown once.
local told = {}
---@type integer[] When the server died by itself, in seconds.
local deaths = {}
---@type table<integer, true> Clients that are stopped on purpose.
local stopped = {}
---@type string[]
M.log = {}

---@param message string
---@param level? integer
function M.notify(message, level)
  vim.notify('rest_lsp: ' .. message, level or vim.log.levels.INFO)
end

---@param message string
function M.warn_once(message)
  if not told[message] then
    told[message] = true
    M.notify(message, vim.log.levels.WARN)
  end
end

---@param text string
local function remember(text)
  vim.list_extend(M.log, vim.split(text, '\n', { trimempty = true }))
  while #M.log > KEPT_LOG_LINES do
    table.remove(M.log, 1)
  end
end

--- The server of a buffer, or the only one there is.
---@param bufnr? integer
---@return vim.lsp.Client?
function M.client(bufnr)
  local here = vim.lsp.get_clients({ name = M.NAME, bufnr = bufnr or vim.api.nvim_get_current_buf() })
  return here[1] or vim.lsp.get_clients({ name = M.NAME })[1]
end

--- Run a command of the server.  `on_result` is called with its result; a failure is told.
---@param command string
---@param arguments any[]
---@param on_result fun(result: any)
function M.execute(command, arguments, on_result)
  local client = M.client()
  if not client then
    M.notify(M.why_not_running(), vim.log.levels.WARN)
    return
  end
  if not M.knows(client, command) then
    M.notify(('This version of the server does not know %s; update it.'):format(command), vim.log.levels.WARN)
    return
  end
  client:request('workspace/executeCommand', { command = command, arguments = arguments }, function(err, result)
    if err then
      M.notify(('%s failed: %s'):format(command, err.message), vim.log.levels.ERROR)
    else
      on_result(result ~= vim.NIL and result or nil)
    end
  end)
end

---@param client vim.lsp.Client
---@param command string
---@return boolean
function M.knows(client, command)
  local commands = vim.tbl_get(client.server_capabilities or {}, 'executeCommandProvider', 'commands') or {}
  return vim.list_contains(commands, command)
end

---@return string
function M.why_not_running()
  local found, problem = find.server(vim.fn.getcwd())
  if not found then
    return problem .. ' ' .. find.FIX
  end
  return 'The server is not running; it starts with the first file. `:checkhealth rest_lsp` says more.'
end

--- Tell the server what was taken, as far as it wants to know.
---@param client vim.lsp.Client
---@param item lsp.InlineCompletionItem
---@param kind 'whole'|'word'|'line'
---@param piece string
function M.accepted(client, item, kind, piece)
  local id = vim.tbl_get(item, 'command', 'arguments', 1)
  if id and M.knows(client, 'rest.accepted') then
    client:request('workspace/executeCommand', {
      command = 'rest.accepted',
      arguments = { id, kind, vim.fn.strchars(piece) },
    }, function() end)
  end
end

---@param bufnr integer
---@return boolean
local function is_wanted(bufnr)
  local filetype, only = vim.bo[bufnr].filetype, options.current.filetypes
  if vim.bo[bufnr].buftype ~= '' or filetype == '' or vim.list_contains(options.current.exclude_filetypes, filetype) then
    return false
  end
  return not only or vim.list_contains(only, filetype)
end

--- Starts the server for a buffer by calling `start`, with no root for a file that belongs to no workspace.
---@param bufnr integer
---@param start fun(root?: string)
local function root_dir(bufnr, start)
  if not is_wanted(bufnr) then
    return
  end
  local root = vim.fs.root(bufnr, options.current.root_markers)
  local found, problem = find.server(root)
  if found then
    start(root)
  else
    M.warn_once(problem .. ' ' .. find.FIX)
  end
end

--- Connects, with answers that have been checked against the buffer.
---@param dispatchers vim.lsp.rpc.Dispatchers
---@param config vim.lsp.ClientConfig
---@return vim.lsp.rpc.PublicClient
local function connect(dispatchers, config)
  local found, problem = find.server(config.root_dir)
  assert(found, problem)
  local rpc = vim.lsp.rpc.start(found.cmd, dispatchers, { cwd = config.cmd_cwd, env = config.cmd_env })
  return require('rest_lsp.answers').watch(rpc)
end

---@param code integer
---@param signal integer
---@param client_id integer
local function on_exit(code, signal, client_id)
  local was_wanted = stopped[client_id] or vim.v.exiting ~= vim.NIL
  stopped[client_id] = nil
  if was_wanted or (code == 0 and signal == 0) then
    return
  end
  vim.schedule(function()
    local now = os.time()
    deaths = vim.tbl_filter(function(death)
      return now - death < RESTARTS_WITHIN_S
    end, deaths)
    table.insert(deaths, now)
    local what = signal ~= 0 and 'signal ' .. signal or 'exit code ' .. code
    if #deaths > MOST_RESTARTS then
      M.notify(('The server ended again (%s) and stays down; see `:RestLsp log`.'):format(what), vim.log.levels.ERROR)
      return
    end
    M.notify(('The server ended (%s) and is started again.'):format(what), vim.log.levels.WARN)
    M.start()
  end)
end

--- Start the server for the files that are open.
function M.start()
  vim.lsp.enable(M.NAME)
end

--- Stop the server and start it again once it has ended.
function M.restart()
  local clients = vim.lsp.get_clients({ name = M.NAME })
  for _, client in ipairs(clients) do
    stopped[client.id] = true
    client:stop()
  end
  deaths, told = {}, {}
  vim.wait(5000, function()
    return #vim.lsp.get_clients({ name = M.NAME, _uninitialized = true }) == 0
  end, 20)
  M.start()
  M.notify(#clients == 0 and 'The server is started.' or 'The server is started again.')
end

---@param settings table
---@return table
local function initialization_options(settings)
  return next(settings) and vim.deepcopy(settings) or vim.empty_dict()
end

--- Make the server known to Neovim, which starts it with the first fitting file.
function M.register()
  -- Other programs change files while Neovim is in the background; the server looks again when it is back.
  vim.api.nvim_create_autocmd('FocusGained', {
    group = vim.api.nvim_create_augroup('rest_lsp:focus', { clear = true }),
    callback = function()
      for _, client in ipairs(vim.lsp.get_clients({ name = M.NAME })) do
        client:notify('rest/didFocus', {})
      end
    end,
  })
  local status = require('rest_lsp.status')
  vim.lsp.config(M.NAME, {
    cmd = connect,
    root_dir = root_dir,
    init_options = initialization_options(options.current.settings),
    settings = { restLsp = initialization_options(options.current.settings) },
    handlers = {
      ['rest/didChangeStatus'] = function(_, result, context)
        if status.ends_loading(context.client_id, result) then
          require('rest_lsp.suggestion').attend()
        end
        status.update(context.client_id, result)
      end,
      ['window/logMessage'] = function(err, result, context, config)
        remember(result.message)
        return vim.lsp.handlers['window/logMessage'](err, result, context, config)
      end,
    },
    on_attach = function(_, bufnr)
      require('rest_lsp.suggestion').attach(bufnr)
    end,
    on_exit = on_exit,
  })
  M.start()
end

return M
