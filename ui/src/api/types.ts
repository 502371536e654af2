// The JSON API under /api/v1 as the dashboard uses it. The gateway's OpenAPI document (/api/v1/openapi.json) has the last word.
//
// Rules
// * Base /api/v1, on the admin listener (and on the one port with --listen). JSON in and out, UTF-8, snake_case. Unknown members in bodies: 400 with the field.
// * Auth: cookie `sluice_session` (HttpOnly, SameSite=Strict, Secure under TLS) + header `x-csrf-token` on POST/PUT/PATCH/DELETE; or `Authorization: Bearer <token>`
//   (admin tokens = admin keys) without CSRF. Roles: owner > admin > viewer; `holder` = somebody signed in with a client key, may use /session and /me only.
//   Deny by default: every route declares the least role in ONE table; a test walks it.
// * Errors: 4xx/5xx with ApiError. 400 validation, 401 not signed in, 403 role, 404, 409 conflict (version) / taken, 413, 422 unused, 429 login back-off (Retry-After).
// * Times: integers, unix milliseconds, names end in _at or _ms. Money: integer micro-USD, names end in _micro_usd. Tokens: integers.
// * Lists: {items, next}: `?limit=&after=` (opaque cursor `next`, null at the end). `total` only where cheap.
// * Secrets are write-only: a form shows {set: true, hint: "…9f"}; in writes: absent = unchanged, null = remove, string = replace.
// * Writes to things with `version`: PATCH/PUT must carry `version` (the one that was read); another one since → 409 {code:"conflict", current: <the thing now>}.
// * 0 or null in a limit = unlimited.

export interface ApiError { error: { code: string; message: string; fields?: { field: string; message: string }[]; current?: unknown } }
export interface Page<T> { items: T[]; next: string | null; total?: number }
export type Role = "owner" | "admin" | "viewer" | "holder";

// ---- session -------------------------------------------------------------------------------------------------------------------------------
// GET /session                    → Session (200 always, also when anonymous)
// POST /session {name,password}   → Session      | POST /session {key} (client key → holder) → Session
// DELETE /session                 → 204
// POST /setup {token, name, password} → Session. Token: one-time, printed at first run as <admin address>/admin/setup?token=…; sets name+password of the owner.
// POST /session/password {current, password} → 204
export interface Session {
  state: "setup" | "anonymous" | "signed_in";       // setup: the set-up token is still unused
  name: string | null; role: Role | null; csrf: string | null; expires_at: number | null;
  version: string; commit: string; demo: boolean;
}
// GET /sessions → Page<{id, name, role, created_at, seen_at, peer, agent, current}>; DELETE /sessions/{id}           (own; owner: all)
// GET /members → Page<{name, role, created_at, last_login_at}>; POST /members {name,password,role}; PATCH /members/{name} {role?,password?}; DELETE   (owner)
// GET /tokens → Page<{id, name, role, hint, created_at}>; POST /tokens {name, role} → {…, token} (shown once); DELETE /tokens/{id}                (owner)
// GET /audit?key=&caller=&before=&limit= → Page<{id, at, caller, peer, action, key, revision, changes: {path, before?, after?}[]}>   (admin; uses the existing audit log)

// ---- clients (consumers) --------------------------------------------------------------------------------------------------------------------
// GET /clients?search=&tag=&group=&active=&sort=name|-cost_today|-requests_today|-seen_at&limit=&after= → Page<ClientRow>
// POST /clients ClientWrite → {client: Client, key: {id, key: "gm_…" /* once */, hint}}     GET /clients/{id} → Client
// PATCH /clients/{id} Partial<ClientWrite> & {version}  → Client;  DELETE /clients/{id}?version= → 204
// POST /clients/bulk {ids, action: "enable"|"disable"|"delete"|"tag"|"untag", tag?} → {done: string[], failed: {id, message}[]}
// GET /clients/export.csv
// POST /clients/{id}/keys {name?, style: "gm"|"sk"|"sk-ant"|"custom", prefix?, expires_at?, show_again?: boolean} → ClientKey & {key}
// PATCH /clients/{id}/keys/{key} {name?, expires_at?, active?}; DELETE; POST …/rotate {grace_seconds} → ClientKey & {key}; GET …/reveal → {key} (only show_again keys; admin; audited)
// GET /clients/{id}/limits → {items: LimitStanding[]};  POST /clients/{id}/limits/{name}/reset → 204
// GET /clients/{id}/models?fetch=true → {items: ProviderModel[], fetched_at, error?: string}; GET /clients/{id}/models/check?name= → {allowed, target?: string, reason}
// POST /clients/{id}/test {model?} → TestResult      (a real call through the data path as this client)
// GET /clients/defaults → ClientWrite               (the configuration's `defaults:` block)
export interface ClientWrite {
  id?: string;                    // consumer name; made from the name when absent (slug, unique)
  name: string; description?: string; owner?: string; tags?: string[]; active?: boolean; expires_at?: number | null; group?: string | null;
  provider?: ClientProvider | null;              // null: model registry
  default_model?: string | null; fallback_models?: string[]; allowed_models?: string[] /* globs; empty = all */; aliases?: Record<string, string>;
  system_prompt?: { text: string; position: "first" | "last" | "replace"; locked: boolean } | null;
  tool_mode?: "pass-through" | "gateway"; tools?: string[];   // ids of tool sets registered for gateway mode
  limits?: ClientLimits; allowed_endpoints?: string[]; allowed_addresses?: string[]; log_payloads?: boolean;
}
export interface ClientProvider { type: string; base_url?: string | null; api_key?: string | null /* write-only */; api_key_set?: boolean; api_key_hint?: string | null; headers?: Record<string, string>; options?: Record<string, unknown>; }
export interface ClientLimits {  // all optional, 0/null = unlimited
  requests_per_minute?: number; requests_per_hour?: number; requests_per_day?: number; concurrency?: number;
  input_tokens_per_minute?: number; output_tokens_per_minute?: number; tokens_per_minute?: number;
  input_tokens_per_day?: number; output_tokens_per_day?: number; tokens_per_day?: number; tokens_per_month?: number; tokens_total?: number;
  budget_micro_usd_per_day?: number; budget_micro_usd_per_month?: number; budget_micro_usd_total?: number;
  max_input_tokens?: number; max_output_tokens?: number;        // per request
  per_model?: Record<string /* glob */, Omit<ClientLimits, "per_model" | "max_input_tokens" | "max_output_tokens" | "concurrency">>;
  time_zone?: string;   // of days and months; default UTC
}
export interface Client extends ClientWrite { id: string; version: number; created_at: number; updated_at: number; seen_at: number | null; keys: ClientKey[];
  effective_limits?: { name: string; limit: number; from: "client" | "group" | "route"; }[]; unmanaged_plugins?: string[] /* plugins on the consumer that this form does not show */ }
export interface ClientKey { id: string; name: string | null; hint: string /* gm_ab…9f */; created_at: number; expires_at: number | null; active: boolean; seen_at: number | null; show_again: boolean; rotated_to?: string | null }
export interface ClientRow { id: string; name: string; hint: string | null; provider: string | null; default_model: string | null; group: string | null; tags: string[]; active: boolean;
  expires_at: number | null; created_at: number; seen_at: number | null; requests_today: number; tokens_today: number; cost_today_micro_usd: number; errors_today: number; limits: LimitStanding[]; version: number }
export interface LimitStanding { scope: "client" | "group" | "route"; subject: string; name: string /* requests_per_minute, … */; model?: string | null; unit: "requests" | "tokens" | "micro_usd" | "concurrent";
  limit: number; used: number; reserved: number; remaining: number; resets_at: number | null; reset_possible: boolean }

// groups (consumer groups): GET /groups → Page<Group>; PUT /groups/{id} {name?, description?, limits, allowed_models?, version?}; DELETE
export interface Group { id: string; name: string; description: string; limits: ClientLimits; members: number; standing: LimitStanding[]; version: number }
// GET /limits?scope=&search=&sort=-fill → Page<LimitStanding>    (Limits and budgets page: all scopes)
// holder: GET /me → {client: {id, name, hint}, limits: LimitStanding[], allowed_models, requests: RequestRow[], usage_today: Totals, usage_month: Totals}; POST /me/rotate {grace_seconds} → {key, hint}

// ---- providers, models ------------------------------------------------------------------------------------------------------------------------
// GET /provider-types → {items: {type, title, base_url: string|null, needs: ("base_url"|"api_key"|"region"|"project"|"aws")[], key_placement: string, protocols: string[], docs?: string}[]}
// GET /providers → Page<Provider>; POST /providers ProviderWrite; GET|PATCH|DELETE /providers/{id} (PATCH with version; DELETE ?force=true)
// POST /providers/test {id?: string, draft?: ProviderWrite, model?} → TestResult   GET /providers/{id}/models → {items: ProviderModel[], fetched_at}; POST /providers/models {draft} → same
export interface ProviderWrite { id?: string; name?: string; type: string; base_url?: string | null; api_key?: string | null; headers?: Record<string, string>; options?: Record<string, unknown>; timeout_ms?: number; ssl_verify?: boolean; region?: string; project_id?: string; aws?: { access_key_id: string; secret_access_key?: string | null; session_token?: string | null } | null; extra?: Record<string, unknown> /* other members of the resource */ }
export interface Provider extends ProviderWrite { id: string; api_key_set: boolean; api_key_hint: string | null; models_using: string[]; health: "ok" | "failing" | "cooling_down" | "unknown"; last_error: string | null; last_latency_ms: number | null; requests_today: number; errors_today: number; version: number }
export interface ProviderModel { id: string; display_name: string | null; owned_by: string | null; context_window: number | null }
export interface TestResult { ok: boolean; status: number | null; latency_ms: number; model: string | null; answered_model: string | null; error_class: string | null; message: string; text?: string | null; tokens?: { input: number; output: number } | null; cost_micro_usd?: number | null; request?: { method: string; url: string; headers: Record<string, string>; body: unknown } /* secrets masked */ }
// GET /models → Page<Model>; POST /models; GET|PUT|DELETE /models/{id}: the `models` resource as it is (docs/models.md) plus {id, version, price: Price}
// GET /prices?search= → Page<{model, provider, source: "table"|"configured", rates: Rates}>; GET /prices/{model}
export interface Rates { input?: number; cache_read?: number; cache_write?: number; cache_write_1h?: number; output?: number; reasoning?: number; audio_input?: number; audio_output?: number; image_input?: number; image_output?: number; searches?: number; audio_ms?: number } // micro-USD per million tokens
export interface Price { state: "priced" | "unpriced"; source: "table" | "configured" | null; rates: Rates }

// ---- resources (routes and plugins) --------------------------------------------------------------------------------------------------------------
// GET /kinds → {items: {kind, title, schema, id_member}[]}    GET /plugins → {items: {name, priority, schema, consumer_schema?, metadata_schema?, docs: string, kinds: string[]}[]}
// GET /resources/{kind} → Page<{id, value, version, created_at, updated_at, compile_error?: string}>   GET|PUT|DELETE /resources/{kind}/{id} (PUT {value, version?: number}; absent version = must not exist)
// POST /resources/{kind}/validate {value} → {ok: true} | ApiError(400)
// POST /match {method, scheme?, host?, path, headers?, query?, remote_addr?} → {route: {id, name, built_in} | null, why: string, tried: {id, name, reason}[], plugins: {name, priority, from: string}[], would_be: string /* e.g. "404 Route Not Found" */}

// ---- observe ---------------------------------------------------------------------------------------------------------------------------------------
// range parameters everywhere: from_ms, to_ms (to defaults to now). Filters everywhere: client, group, model, provider, route, credential, status ("2xx"|"429"|…), tag (resolved to clients)
// GET /overview?from_ms&to_ms → Overview
export interface Totals { requests: number; errors: number; input_tokens: number; output_tokens: number; cache_read_tokens: number; cost_micro_usd: number; unpriced_requests: number; cache_hits: number }
export interface Overview { interval_ms?: number; problems?: { key: string; message: string }[]; now: Tiles; previous: Tiles; live: LiveTiles; clients_total: number; series: SeriesPoint[]; top_models: Top[]; top_clients: Top[]; top_groups: Top[]; providers: { id: string; type: string; registered?: boolean; health: Provider["health"]; latency_ms: number | null; requests: number; errors: number }[] }
export interface LiveTiles { type: "tiles"; at: number; in_flight: number; active_keys: number; requests_per_second: number; errors_per_second: number; tokens_per_second: number; today: Totals }
export interface Tiles extends Totals { latency_p50_ms: number | null; latency_p95_ms: number | null; latency_p99_ms: number | null; ttft_p50_ms: number | null }
export interface SeriesPoint { at: number; requests: number; errors: number; input_tokens: number; output_tokens: number; cost_micro_usd: number }
export interface Top { id: string; name: string; requests: number; tokens: number; cost_micro_usd: number; errors: number }
// GET /requests?filters&tool_calls=&cache=&guard=&text=&limit=&after= → Page<RequestRow>   GET /requests/{id} → RequestDetail   GET /requests.csv (streams)
export interface RequestRow { id: string /* uuid */; started_at: number; duration_ms: number; ttft_ms: number | null; status: number; ended: string; error: string | null; method: string; path: string; client: string | null; client_name: string | null; group: string | null; credential: string | null; route: string | null; protocol: string | null; provider: string | null; instance: string | null; model_asked: string | null; model: string | null; stream: boolean; input_tokens: number; output_tokens: number; cost_micro_usd: number | null; unpriced: boolean; provenance: string; cache: string | null; tool_calls: boolean; tools: number; tries: number; tokens_per_second: number | null; has_payload: boolean; address: string | null }
export interface RequestDetail extends RequestRow { usage: Record<string, number>; price: Price | null; attempts: { addr: string; status: number; time_ms: number }[]; routing: string | null; guard: { rule: string; action: string; direction: string; count: number }[]; user_agent: string | null; end_user: string | null; request_bytes: number; response_bytes: number; timeline: { name: string; at_ms: number }[]; payload: Payload | null }
export interface Payload { client_request: PayloadPart; upstream_request: PayloadPart | null; response: PayloadPart | null; kept_until: number }
export interface PayloadPart { headers: [string, string][]; body: string; truncated: boolean; encoding: "utf8" | "base64" }
// GET /usage?from_ms&to_ms&by=client|group|model|provider|credential|route|tag|none&period=hour|day|month|none&filters&compare=true&limit&after
//   → {rows: {key: string, name: string, at: number|null, totals: Totals}[], previous?: same, totals: Totals, previous_totals?: Totals, next}     GET /usage.csv
// GET /cache → {enabled_on: string[], hits, misses, bypasses, semantic_hits, hit_rate, saved_tokens, saved_micro_usd, entries, bytes, series: {at, hits, misses}[], items: CacheEntry[]}; DELETE /cache → {removed}

// ---- live: GET /live (WebSocket; Origin checked; cookie or Bearer) ------------------------------------------------------------------------------------
// server → page, at most 2 per second of each type; slow readers get the newest only:
export type Live =
  | { type: "hello"; server_time: number; version: string }
  | LiveTiles
  | { type: "series"; point: SeriesPoint & { interval_ms: number } }
  | { type: "requests"; items: RequestRow[]; skipped: number }          // sampled feed: newest ≤ 20, skipped = how many more there were
  | { type: "clients"; items: { id: string; requests_today: number; tokens_today: number; cost_today_micro_usd: number; seen_at: number }[] }
  | { type: "limits"; items: LimitStanding[] }                            // of subscribed client
  | { type: "providers"; items: Overview["providers"] }
  | { type: "configuration"; revision: number; kinds: string[] }            // something was edited: pages refetch
  | { type: "ping"; at: number };
// page → server: {type:"subscribe", topics: ("tiles"|"series"|"requests"|"clients"|"providers"|"limits:<client>"|"configuration")[]}

// ---- playground, settings, raw ---------------------------------------------------------------------------------------------------------------------------
// ANY /playground/{client}/{path…}  → relayed to the proxy's own listener as that client (admin role), streaming; response headers kept, plus x-sluice-request-id for GET /requests/{id}
// GET /settings → {items: {key, value, source: "default"|"file"|"environment"|"option"|"apisix", secret: boolean, help: string}[], listeners: {proxy: string[], admin, metrics}, public_url: string, storage: {config_db_bytes, ledger_db_bytes, ledger_records}, ledger: {retention_days, payload_retention_days, queue, spilled}, health: …}
// GET /backup (owner; one file of configuration), POST /import/aigateway (multipart) → plan/applied — later
// GET /config → {yaml, revision}; POST /config/validate {yaml} → {ok, changes: Change[], errors: {line?, path, message}[]}; POST /config/apply {yaml, revision} → {revision, changes}; GET /config/history → Page<{revision, at, caller, summary}>; GET /config/history/{revision} → {yaml}; POST /config/history/{revision}/restore {revision}
export interface Change { kind: string; id: string; action: "create" | "update" | "delete"; diff: { path: string; from?: unknown; to?: unknown }[] }
// GET /openapi.json (open), GET /docs (Scalar or Swagger page, assets embedded)

export interface CacheReport {
  enabled_on: string[]; hits: number; misses: number; bypasses: number; semantic_hits: number; hit_rate: number | null; saved_tokens: number; saved_micro_usd: number;
  entries: number; bytes: number; series: { at: number; hits: number; misses: number }[]; items: CacheEntry[];
}
export interface CacheEntry { key: string; kind: string; format: string | null; bytes: number; created_at: number | null; expires_at: number | null }
export interface AuditEntry { id: string; at: number; caller: string; peer: string | null; action: string; key: string; revision: number | null; changes: { path: string; from?: unknown; to?: unknown }[] }
export interface SettingItem { key: string; value: unknown; source: "default" | "file" | "environment" | "option" | "apisix"; secret: boolean; help: string }
export interface Settings {
  items: SettingItem[]; listeners: { proxy: string[]; admin: string | null; metrics: string | null }; public_url: string;
  storage: { config_db_bytes: number; ledger_db_bytes: number; ledger_records: number };
  ledger: { retention_days: number | null; payload_retention_days: number | null; queue: number; spilled: number };
  health: Record<string, unknown> | string;
}
export interface ResourceItem { id: string; value: Record<string, unknown>; version: number; created_at: number; updated_at: number; compile_error?: string }
export interface Kind { kind: string; title: string; schema: unknown; id_member: string }
export interface PluginDescription { name: string; priority: number; schema: unknown; consumer_schema?: unknown; metadata_schema?: unknown; scope?: string; encrypted_fields?: string[]; consumer_encrypted_fields?: string[] | null }
export interface MatchResult {
  route: { id: string; name: string | null; built_in: boolean } | null; why: string; tried: { id: string; name: string | null; reason: string }[];
  plugins: { name: string; priority: number; from: string }[]; would_be: string;
}
export interface RawConfig { yaml: string; revision: number }
export interface ConfigCheck { ok: boolean; changes: Change[]; errors: { line?: number; path: string; message: string }[] }
export interface Revision { revision: number; at: number; caller: string; summary: string }
