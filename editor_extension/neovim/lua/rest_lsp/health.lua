--- `:checkhealth rest_lsp`: each thing that a suggestion needs, with what to do when it is missing.

local M = {}

local health = vim.health

local function check_neovim()
  health.start('Neovim')
  if vim.fn.has('nvim-0.12') == 0 or not vim.lsp.inline_completion then
    health.error(('Neovim %s has no inline completion.'):format(tostring(vim.version())), { 'Use Neovim 0.12 or later.' })
    return
  end
  health.ok(('Neovim %s shows inline completions.'):format(tostring(vim.version())))
  local missing = require('rest_lsp.builtin').missing()
  if missing then
    health.error(
      ('This version keeps its suggestions in another way (%s is missing), so none can be taken.'):format(missing),
      { 'Report it with the output of `:version`.' }
    )
  end
end

local function check_server()
  health.start('Server')
  local found, problem = require('rest_lsp.find').server(vim.fs.root(0, require('rest_lsp.options').current.root_markers))
  if not found then
    health.error(problem, { require('rest_lsp.find').FIX })
    return
  end
  health.ok(('Found by %s: %s'):format(found.from, table.concat(found.cmd, ' ')))
  local clients = vim.lsp.get_clients({ name = require('rest_lsp.server').NAME })
  if #clients == 0 then
    local is_registered = vim.lsp.is_enabled(require('rest_lsp.server').NAME)
    health.warn('It does not run.', {
      is_registered and 'Open a file that has a file type; the server starts with it.'
        or "Call require('rest_lsp').setup() in your configuration.",
    })
  end
  for _, client in ipairs(clients) do
    local version = vim.tbl_get(client, 'server_info', 'version') or '?'
    health.ok(('It runs for %s, version %s.'):format(client.root_dir or 'files without a folder', version))
  end
end

---@param client vim.lsp.Client
local function check_status(client)
  local reply = client:request_sync('rest/status', nil, 2000, 0)
  local status = reply and reply.result
  if not status then
    health.warn('It does not answer.', { '`:RestLsp log` shows what it said, `:RestLsp restart` starts it again.' })
    return
  end
  status = require('rest_lsp.status').update(client.id, status)
  local words = require('rest_lsp.status').describe(status)
  local text = ('%s; model %s on %s'):format(words, tostring(status.model or 'none yet'), tostring(status.device or '?'))
  if status.state == 'error' then
    health.error(tostring(status.reason), { tostring(status.fix) })
  elseif words == 'ready' or words == 'busy' then
    health.ok(text)
  else
    health.info(text)
  end
end

---@param client vim.lsp.Client
local function check_doctor(client)
  if not require('rest_lsp.server').knows(client, 'rest.doctor') then
    health.info('`rest-lsp doctor` in a terminal checks model, machine and index.')
    return
  end
  local reply = client:request_sync('workspace/executeCommand', { command = 'rest.doctor', arguments = {} }, 20000, 0)
  for _, check in ipairs(reply and reply.result or {}) do
    local advice = check.fix and check.fix ~= vim.NIL and { check.fix } or nil
    local say = check.state == 'failed' and health.error or check.state == 'warning' and health.warn or health.ok
    say(('%s: %s'):format(check.name, check.text), advice)
  end
end

local function check_keys()
  health.start('Keys')
  local keymaps = require('rest_lsp.options').current.keymaps
  if not keymaps or not next(keymaps) then
    health.info("None is set. Name some in `keymaps`, or map require('rest_lsp').accept yourself.")
    return
  end
  for action, key in vim.spairs(keymaps) do
    local mapping = vim.fn.maparg(key, 'i', false, true)
    if vim.startswith(mapping.desc or '', 'rest_lsp: ') then
      health.ok(('%s: %s'):format(key, action))
    else
      health.warn(('%s no longer does %s: it was mapped again.'):format(key, action), {
        'Map it before require(\'rest_lsp\').setup(), which keeps the former mapping for when there is no suggestion.',
      })
    end
  end
end

function M.check()
  check_neovim()
  check_server()
  local client = vim.lsp.get_clients({ name = require('rest_lsp.server').NAME })[1]
  if client then
    check_status(client)
    check_doctor(client)
  end
  check_keys()
end

return M
