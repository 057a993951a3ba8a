--- `:RestLsp` and its subcommands.

local server = require('rest_lsp.server')
local spelling = require('rest_lsp.spelling')
local views = require('rest_lsp.views')

local M = {}

---@class rest_lsp.Subcommand
---@field run fun(argument?: string)
---@field complete? fun(): string[]
---@field text string What it does, for the help.

---@type string[] Names that the last `models` has brought.
local model_names = {}

---@param enabled boolean
---@param what string
local function tell_switched(enabled, what)
  server.notify(('Suggestions are %s%s.'):format(enabled and 'on' or 'off', what))
end

---@param language? string
local function toggle(language)
  server.execute('rest.toggle', { language }, function(result)
    if language then
      tell_switched(not vim.list_contains(result.disabledLanguages or {}, language), ' for ' .. language)
    else
      tell_switched(result.enabled, '')
    end
  end)
end

---@param minutes? string
local function snooze(minutes)
  local count = tonumber(minutes or 10)
  if not count or count < 0 then
    server.notify(('snooze takes minutes, 0 ends it; %s is no number.'):format(minutes), vim.log.levels.WARN)
    return
  end
  server.execute('rest.snooze', { count }, function(result)
    local till = result and result.snoozedUntil
    if till and till ~= vim.NIL then
      server.notify('No suggestions until ' .. os.date('%H:%M', math.floor(till / 1000)) .. '.')
    else
      server.notify('Suggestions are on again.')
    end
  end)
end

local function show_status()
  local client = server.client()
  if not client then
    server.notify(server.why_not_running(), vim.log.levels.WARN)
    return
  end
  client:request('rest/status', nil, function(err, result)
    if err then
      server.notify('The status could not be had: ' .. err.message, vim.log.levels.ERROR)
      return
    end
    require('rest_lsp.status').update(client.id, result)
    views.scratch('status', views.lines(result))
  end)
end

local function explain()
  local client = server.client()
  server.execute('rest.explainLast', {}, function(result)
    if not result then
      server.notify('There has been no suggestion yet.')
    elseif #(result.sources or {}) == 0 then
      server.notify('The last suggestion is the model\'s alone: nothing in it was drafted from a file.')
    else
      views.sources(result, client and client.root_dir)
    end
  end)
end

---@param title string
---@param command string
---@return fun()
local function shows(title, command)
  return function()
    server.execute(command, {}, function(result)
      views.scratch(title, views.lines(result or {}))
    end)
  end
end

--- Checks of the server that runs; of the program itself when none does.
local function doctor()
  local client = server.client()
  if client and server.knows(client, 'rest.doctor') then
    server.execute('rest.doctor', {}, function(checks)
      local lines = {}
      for _, check in ipairs(checks) do
        table.insert(lines, ('%-8s %s: %s'):format(check.state, check.name, check.text))
        if check.fix and check.fix ~= vim.NIL then
          table.insert(lines, '         ' .. check.fix)
        end
      end
      views.scratch('doctor', lines)
    end)
    return
  end
  local found, problem = require('rest_lsp.find').server(vim.fs.root(0, '.git'))
  if not found then
    server.notify(problem .. ' ' .. require('rest_lsp.find').FIX, vim.log.levels.WARN)
    return
  end
  local program = vim.list_slice(found.cmd, 1, #found.cmd - 1)
  vim.system(vim.list_extend(program, { 'doctor' }), { text = true }, vim.schedule_wrap(function(result)
    views.scratch('doctor', vim.split(vim.trim(result.stdout .. result.stderr), '\n'))
  end))
end

---@param name? string
local function model(name)
  if not name then
    server.notify('model takes a name; `:RestLsp models` lists them.', vim.log.levels.WARN)
    return
  end
  server.execute('rest.chooseModel', { name }, function()
    server.notify(('%s is loaded, and fetched first if it is not here; the status line shows how far it is.'):format(name))
  end)
end

---@param entry table
---@return string
local function describe_model(entry)
  local fits = entry.fits == false and 'does not fit' or nil
  local state = entry.current == true and 'in use' or entry.present and 'on this machine' or 'to be downloaded'
  local note = entry.note ~= vim.NIL and entry.note or nil
  local parts = { state, ('%.2f GB'):format((tonumber(entry.bytes) or 0) / 1e9) }
  vim.list_extend(parts, { fits })
  vim.list_extend(parts, { note })
  return ('%s (%s): %s'):format(entry.name, table.concat(parts, ', '), entry.description)
end

local function models()
  server.execute('rest.models', {}, function(list)
    model_names = vim.iter(list):map(function(entry)
      return entry.name
    end):totable()
    vim.ui.select(list, { prompt = 'Model:', format_item = describe_model }, function(choice)
      if choice and choice.current ~= true then
        model(choice.name)
      end
    end)
  end)
end

local function show_log()
  local lines = vim.list_slice(server.log)
  if #lines == 0 then
    lines = { 'The server has said nothing yet.' }
  end
  table.insert(lines, 'Messages of Neovim\'s own client: ' .. vim.lsp.log.get_filename())
  local bufnr = views.scratch('log', lines)
  vim.api.nvim_win_set_cursor(0, { vim.api.nvim_buf_line_count(bufnr), 0 })
end

local function debug_info()
  server.execute('rest.debugInfo', {}, function(result)
    local lines = { 'neovim: ' .. tostring(vim.version()), 'options:' }
    vim.list_extend(lines, views.lines(require('rest_lsp.options').current, '  '))
    views.scratch('debug', vim.list_extend(lines, views.lines(result or {})))
  end)
end

local function reindex()
  server.execute('rest.reindex', {}, function(result)
    server.notify(result.started and 'The index is brought up to date.' or 'There is no index to bring up to date.')
  end)
end

--- File types of the open buffers, which is what one may want to switch.
---@return string[]
local function open_filetypes()
  local found = {}
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    if vim.bo[bufnr].filetype ~= '' and vim.bo[bufnr].buftype == '' then
      found[vim.bo[bufnr].filetype] = true
    end
  end
  return vim.tbl_keys(found)
end

---@return string[]
local function known_models()
  if #model_names == 0 and server.client() and server.knows(server.client(), 'rest.models') then
    local reply = server.client():request_sync('workspace/executeCommand', { command = 'rest.models', arguments = {} }, 500)
    model_names = vim.iter(reply and reply.result or {}):map(function(entry)
      return entry.name
    end):totable()
  end
  return model_names
end

---@type table<string, rest_lsp.Subcommand>
M.subcommands = {
  toggle = { run = toggle, complete = open_filetypes, text = 'switch suggestions off or on, everywhere or for a file type' },
  snooze = {
    run = snooze,
    complete = function()
      return { '0', '5', '10', '30', '60' }
    end,
    text = 'no suggestions for some minutes, 10 unless given; 0 ends it',
  },
  status = { run = show_status, text = 'what the server is doing, with which model on which device' },
  stats = { run = shows('stats', 'rest.stats'), text = 'suggestions shown and taken, and what they cost' },
  explain = { run = explain, text = 'the places that the last suggestion was drafted from, in the quickfix list' },
  reindex = { run = reindex, text = 'bring the index of the workspace up to date' },
  restart = {
    run = function()
      server.restart()
    end,
    text = 'stop the server and start it again',
  },
  doctor = { run = doctor, text = 'check everything that a suggestion needs' },
  models = { run = models, text = 'list models with size and fit, and choose one' },
  model = { run = model, complete = known_models, text = 'change to a model for this session' },
  log = { run = show_log, text = 'what the server has logged' },
  debug = { run = debug_info, text = 'what a bug report needs; holds no code' },
}

--- Run `:RestLsp` with its words.
---@param words string[]
function M.run(words)
  local name = words[1] or 'status'
  local subcommand = M.subcommands[name]
  if not subcommand then
    local hint = spelling.hint(name, vim.tbl_keys(M.subcommands), ':RestLsp ')
    server.notify((':RestLsp %s is not a command.%s'):format(name, hint), vim.log.levels.ERROR)
    return
  end
  subcommand.run(words[2])
end

--- Words that may follow `line`.
---@param line string
---@return string[]
function M.complete(line)
  local words = vim.split(vim.trim(line), '%s+')
  local is_new = line:match('%s$') ~= nil
  local position, typed = #words + (is_new and 1 or 0), is_new and '' or words[#words]
  local choices = {}
  if position == 2 then
    choices = vim.tbl_keys(M.subcommands)
  elseif position == 3 and M.subcommands[words[2]] and M.subcommands[words[2]].complete then
    choices = M.subcommands[words[2]].complete()
  end
  table.sort(choices)
  return vim.tbl_filter(function(choice)
    return vim.startswith(choice, typed)
  end, choices)
end

return M
