// Calls of the JSON API. Every page goes through here.
import type { ApiError } from "./types";

export const BASE = "/api/v1";

export type Query = Record<string, string | number | boolean | null | undefined>;

/** A call that the server refused, or that never got an answer (status 0). */
export class ApiFailure extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly fields: { field: string; message: string }[] = [],
    /** With 409: the thing as it is. */
    readonly current?: unknown,
    readonly retryAfter?: number,
  ) {
    super(message);
    this.name = "ApiFailure";
  }
}

let csrf: string | null = null;
const signedOut = new Set<() => void>();

/** Sets what goes into `x-csrf-token` of every write. */
export function setCsrf(token: string | null): void {
  csrf = token;
}

export function csrfHeaders(): Record<string, string> {
  return csrf === null ? {} : { "x-csrf-token": csrf };
}

/** Calls back when an answer says that the session is over. */
export function onSignedOut(callback: () => void): () => void {
  signedOut.add(callback);
  return () => signedOut.delete(callback);
}

export function apiUrl(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return `${BASE}${path}${text ? `${path.includes("?") ? "&" : "?"}${text}` : ""}`;
}

async function call<T>(method: string, path: string, options: { query?: Query; body?: unknown; signal?: AbortSignal } = {}): Promise<T> {
  let response: Response;
  try {
    response = await fetch(apiUrl(path, options.query), {
      method,
      headers: {
        accept: "application/json",
        ...(options.body === undefined ? {} : { "content-type": "application/json" }),
        ...(method === "GET" ? {} : csrfHeaders()),
      },
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      credentials: "same-origin",
      signal: options.signal,
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiFailure(0, "unreachable", "The gateway does not answer. Is it running?");
  }
  if (!response.ok) throw await failure(response, path);
  if (response.status === 204) return undefined as T;
  const text = await response.text();
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

async function failure(response: Response, path: string): Promise<ApiFailure> {
  const body = (await response.json().catch(() => null)) as ApiError | null;
  if (response.status === 401 && path !== "/session") for (const callback of signedOut) callback();
  const error = body?.error;
  const after = Number(response.headers.get("retry-after"));
  return new ApiFailure(
    response.status,
    error?.code ?? "error",
    error?.message ?? `The gateway answered ${response.status}.`,
    error?.fields ?? [],
    error?.current,
    Number.isFinite(after) && after > 0 ? after : undefined,
  );
}

export const api = {
  get: <T>(path: string, query?: Query, signal?: AbortSignal) => call<T>("GET", path, { query, signal }),
  post: <T>(path: string, body?: unknown, query?: Query) => call<T>("POST", path, { body, query }),
  put: <T>(path: string, body?: unknown) => call<T>("PUT", path, { body }),
  patch: <T>(path: string, body?: unknown) => call<T>("PATCH", path, { body }),
  delete: <T>(path: string, query?: Query) => call<T>("DELETE", path, { query }),
};

/** One segment of a path. Ids with slashes keep them: `secrets/vault/1`. */
export function segment(id: string): string {
  return encodeURIComponent(id);
}
