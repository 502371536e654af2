// What a client form edits, and what of it is sent.
import type { Client, ClientWrite } from "../../api/types";

export const EMPTY: ClientWrite = { name: "", active: true, provider: null, limits: {} };

/** The editable part of a client. */
export function draftOf(client: Client): ClientWrite {
  const { name, description, owner, tags, active, expires_at, group, provider, default_model, fallback_models, allowed_models, aliases, system_prompt, tool_mode, limits, allowed_endpoints, allowed_addresses, log_payloads } = client;
  return { name, description, owner, tags, active, expires_at, group, provider, default_model, fallback_models, allowed_models, aliases, system_prompt, tool_mode, limits, allowed_endpoints, allowed_addresses, log_payloads };
}

/** The members that were changed: a save touches nothing else, so it cannot undo what somebody else changed. */
export function changes(before: ClientWrite, after: ClientWrite): Partial<ClientWrite> {
  const changed: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(after)) {
    if (JSON.stringify(value) !== JSON.stringify(before[name as keyof ClientWrite])) changed[name] = value === undefined ? null : value;
  }
  return changed as Partial<ClientWrite>;
}

/** The write without what only reads carry. */
export function sendable(draft: Partial<ClientWrite>): Partial<ClientWrite> {
  if (!draft.provider) return draft;
  const { api_key_set: _set, api_key_hint: _hint, ...provider } = draft.provider;
  return { ...draft, provider };
}
