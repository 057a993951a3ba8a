-- Written by `make docs` from rest_lsp/config.py.

---@class rest_lsp.Settings
---@field model? rest_lsp.ModelSettings
---@field device? rest_lsp.DeviceSettings
---@field completion? rest_lsp.CompletionSettings
---@field drafting? rest_lsp.DraftingSettings
---@field datastore? rest_lsp.DatastoreSettings
---@field server? rest_lsp.ServerSettings
---@field history? rest_lsp.HistorySettings

---@class rest_lsp.ModelSettings
---@field name? string A name from `rest-lsp models list`, a local folder or `.gguf` file, or a Hugging Face id. `auto` takes qwen2.5-coder-1.5b on a GPU with room for it, and where it is here on a CPU that was measured to be fast enough, else qwen2.5-coder-0.5b.
---@field offline? boolean Never use the network; a model that is not here is an error.
---@field cache_dir? string Folder for downloads, packed models and datastores.

---@class rest_lsp.DeviceSettings
---@field name? 'auto'|'cpu'|'cuda'|'mps' `auto` takes a GPU when torch finds one.
---@field dtype? 'auto'|'int8'|'fp32'|'bf16'|'fp16' Form of the weights. `auto` takes int8 on a CPU, and bf16 or fp16 on a GPU, or int8 where only that fits an NVIDIA GPU.
---@field threads? integer CPU threads for the model; 0 takes the physical cores.
---@field fixed_width? boolean On a GPU, run every pass in one width and one order of sums, so that drafted passes round as plain ones do; slower. A CPU is exact without.

---@class rest_lsp.CompletionSettings
---@field max_tokens_single? integer Most tokens of a single-line completion.
---@field max_tokens_multi? integer Most tokens of a multi-line completion.
---@field multiline? 'auto'|'always'|'never' Whether a completion may have several lines; `auto` looks at the cursor's place.
---@field candidates? integer Most suggestions to choose from when they are asked for by key; all but the first are sampled.
---@field prompt_tokens? integer Budget for the text before and after the cursor, in tokens.
---@field context_tokens? integer Budget for parts of other files before the prompt, on top of `prompt_tokens`; 0 puts none there.
---@field context_kinds? 'definitions'|'similar'|'both' Which parts: definitions of imported names (Python), places similar to the cursor's, or both.
---@field anchor_lines? integer Lines above the cursor where the prompt is split: what follows costs no re-reading. Before code on its line: behind a bracket that is open there, or at the cursor.
---@field temperature? number 0 always takes the most likely token.
---@field top_p? number Sample only from the tokens that make up this mass.
---@field top_k? integer Sample only from this many tokens; 0 means all.
---@field seed? integer The same seed samples the same completion.
---@field min_confidence_code? number While typing, show only what the model gives this probability per token (their geometric mean).
---@field min_confidence_word? number The same behind a part of a word.
---@field min_confidence_block? number The same for several lines.
---@field min_confidence_text? number The same in comments and strings.
---@field min_confidence_invoked? number The same for a completion that was asked for by key.
---@field time_budget_automatic_ms? integer Time for a completion while typing; whole lines only. 0 is no limit.
---@field time_budget_invoked_ms? integer Time for a completion that was asked for by key. 0 is no limit.

---@class rest_lsp.DraftingSettings
---@field enabled? boolean Draft from the document and the repository.
---@field max_nodes? integer Most draft tokens that are verified in one pass.
---@field fixed_nodes? integer Draft this many tokens in each pass; 0 lets measured costs decide.
---@field use_document? boolean Draft from the file that is being edited.
---@field use_after? boolean Draft also from the part of that file behind the cursor.
---@field use_datastore? boolean Draft from the rest of the repository.
---@field use_libraries? boolean Draft also from installed packages and the standard library, where they are indexed.
---@field use_completions? boolean Draft from recent completions, first of all the one being typed through.
---@field use_through? boolean Draft the rest of the completion that is being typed through as nearly certain.
---@field use_deleted? boolean Draft from text that was just deleted at the cursor.
---@field use_successors? boolean Draft what the model just put behind the same token.
---@field use_affinity? boolean Prefer places in files that are open, imported, or near the document.
---@field use_calibration? boolean Learn in each workspace which drafts are accepted.
---@field use_trust? boolean Draft less where drafts have just failed.

---@class rest_lsp.DatastoreSettings
---@field enabled? boolean Keep an index of the workspace.
---@field directory? string Folder for the indexes of all workspaces.
---@field max_file_bytes? integer Larger files are left out.
---@field exclude? string[] More patterns of files to leave out, in the syntax of `.gitignore`.
---@field stores? string[] Shared stores to draft from as well, by their names in `rest-lsp store list`.
---@field packages? boolean Draft from installed packages that the workspace imports as well.
---@field standard_library? boolean Draft from Python's standard library as well.
---@field python? string Interpreter whose packages these are; else that of `.venv`, `venv` or the active environment.
---@field watch? boolean Follow changes on disk while the server runs.

---@class rest_lsp.ServerSettings
---@field log_level? 'error'|'warning'|'info'|'debug' How much goes to the editor's log. Code never does.
---@field unload_minutes? number Free the model's memory after so long without a request. 0 keeps it.
---@field linger_minutes? number The shared process ends so long after its last editor or port has gone.

---@class rest_lsp.HistorySettings
---@field enabled? boolean Keep a record of completions: times, counts, and the files that drafts came from.
---@field max_mb? integer Size limit of the record, which all workspaces share; the oldest completions give way.
---@field with_code? boolean Also keep the text of drafted tokens, so that the dashboard shows trees with their code.

---@class rest_lsp.ServerOption
---@field path string Section and name.
---@field kind 'boolean'|'word'|'list'|'integer'|'number'|'text'
---@field takes string In words.
---@field words? string[] What a word may be.
---@field low? number
---@field high? number
---@field is_open? boolean `low` itself is too low.

---@type rest_lsp.ServerOption[]
return {
  { path = "model.name", kind = "text", takes = "a text" },
  { path = "model.offline", kind = "boolean", takes = "true or false" },
  { path = "model.cache_dir", kind = "text", takes = "a path" },
  { path = "device.name", kind = "word", takes = "one of auto, cpu, cuda, mps", words = { "auto", "cpu", "cuda", "mps" } },
  { path = "device.dtype", kind = "word", takes = "one of auto, int8, fp32, bf16, fp16", words = { "auto", "int8", "fp32", "bf16", "fp16" } },
  { path = "device.threads", kind = "integer", takes = "a whole number from 0 to 256", low = 0, high = 256 },
  { path = "device.fixed_width", kind = "boolean", takes = "true or false" },
  { path = "completion.max_tokens_single", kind = "integer", takes = "a whole number from 1 to 512", low = 1, high = 512 },
  { path = "completion.max_tokens_multi", kind = "integer", takes = "a whole number from 1 to 2048", low = 1, high = 2048 },
  { path = "completion.multiline", kind = "word", takes = "one of auto, always, never", words = { "auto", "always", "never" } },
  { path = "completion.candidates", kind = "integer", takes = "a whole number from 1 to 8", low = 1, high = 8 },
  { path = "completion.prompt_tokens", kind = "integer", takes = "a whole number from 64 to 32768", low = 64, high = 32768 },
  { path = "completion.context_tokens", kind = "integer", takes = "a whole number from 0 to 8192", low = 0, high = 8192 },
  { path = "completion.context_kinds", kind = "word", takes = "one of definitions, similar, both", words = { "definitions", "similar", "both" } },
  { path = "completion.anchor_lines", kind = "integer", takes = "a whole number from 0 to 64", low = 0, high = 64 },
  { path = "completion.temperature", kind = "number", takes = "a number from 0 to 2", low = 0, high = 2 },
  { path = "completion.top_p", kind = "number", takes = "a number above 0, up to 1", low = 0, high = 1, is_open = true },
  { path = "completion.top_k", kind = "integer", takes = "a whole number from 0 to 1000", low = 0, high = 1000 },
  { path = "completion.seed", kind = "integer", takes = "a whole number from 0 to 2147483647", low = 0, high = 2147483647 },
  { path = "completion.min_confidence_code", kind = "number", takes = "a number from 0 to 1", low = 0, high = 1 },
  { path = "completion.min_confidence_word", kind = "number", takes = "a number from 0 to 1", low = 0, high = 1 },
  { path = "completion.min_confidence_block", kind = "number", takes = "a number from 0 to 1", low = 0, high = 1 },
  { path = "completion.min_confidence_text", kind = "number", takes = "a number from 0 to 1", low = 0, high = 1 },
  { path = "completion.min_confidence_invoked", kind = "number", takes = "a number from 0 to 1", low = 0, high = 1 },
  { path = "completion.time_budget_automatic_ms", kind = "integer", takes = "a whole number from 0 to 60000", low = 0, high = 60000 },
  { path = "completion.time_budget_invoked_ms", kind = "integer", takes = "a whole number from 0 to 60000", low = 0, high = 60000 },
  { path = "drafting.enabled", kind = "boolean", takes = "true or false" },
  { path = "drafting.max_nodes", kind = "integer", takes = "a whole number from 1 to 64", low = 1, high = 64 },
  { path = "drafting.fixed_nodes", kind = "integer", takes = "a whole number from 0 to 64", low = 0, high = 64 },
  { path = "drafting.use_document", kind = "boolean", takes = "true or false" },
  { path = "drafting.use_after", kind = "boolean", takes = "true or false" },
  { path = "drafting.use_datastore", kind = "boolean", takes = "true or false" },
  { path = "drafting.use_libraries", kind = "boolean", takes = "true or false" },
  { path = "drafting.use_completions", kind = "boolean", takes = "true or false" },
  { path = "drafting.use_through", kind = "boolean", takes = "true or false" },
  { path = "drafting.use_deleted", kind = "boolean", takes = "true or false" },
  { path = "drafting.use_successors", kind = "boolean", takes = "true or false" },
  { path = "drafting.use_affinity", kind = "boolean", takes = "true or false" },
  { path = "drafting.use_calibration", kind = "boolean", takes = "true or false" },
  { path = "drafting.use_trust", kind = "boolean", takes = "true or false" },
  { path = "datastore.enabled", kind = "boolean", takes = "true or false" },
  { path = "datastore.directory", kind = "text", takes = "a path" },
  { path = "datastore.max_file_bytes", kind = "integer", takes = "a whole number from 1024 to 67108864", low = 1024, high = 67108864 },
  { path = "datastore.exclude", kind = "list", takes = "a list of texts" },
  { path = "datastore.stores", kind = "list", takes = "a list of texts" },
  { path = "datastore.packages", kind = "boolean", takes = "true or false" },
  { path = "datastore.standard_library", kind = "boolean", takes = "true or false" },
  { path = "datastore.python", kind = "text", takes = "a path" },
  { path = "datastore.watch", kind = "boolean", takes = "true or false" },
  { path = "server.log_level", kind = "word", takes = "one of error, warning, info, debug", words = { "error", "warning", "info", "debug" } },
  { path = "server.unload_minutes", kind = "number", takes = "a number from 0 to 10080", low = 0, high = 10080 },
  { path = "server.linger_minutes", kind = "number", takes = "a number from 0 to 10080", low = 0, high = 10080 },
  { path = "history.enabled", kind = "boolean", takes = "true or false" },
  { path = "history.max_mb", kind = "integer", takes = "a whole number from 4 to 4096", low = 4, high = 4096 },
  { path = "history.with_code", kind = "boolean", takes = "true or false" },
}
