// The filters of the request log: what they are, how they stand in the address, and whether a live row passes them.
import type { RequestRow } from "../../api/types";

export const FILTERS = [
  "client",
  "group",
  "model",
  "provider",
  "route",
  "credential",
  "tag",
  "status",
  "tool_calls",
  "cache",
  "guard",
  "text",
] as const;

export type FilterName = (typeof FILTERS)[number];
export type Filters = Partial<Record<FilterName, string>>;

export const FILTER_TITLES: Record<FilterName, string> = {
  client: "Client",
  group: "Group",
  model: "Model",
  provider: "Provider",
  route: "Route",
  credential: "Key",
  tag: "Tag",
  status: "Status",
  tool_calls: "Tool calls",
  cache: "Cache",
  guard: "Guardrail",
  text: "Text",
};

export function filtersOf(search: URLSearchParams): Filters {
  const found: Filters = {};
  for (const name of FILTERS) {
    const value = search.get(name);
    if (value) found[name] = value;
  }
  return found;
}

/** Filters that only the server can apply; with one of them set there is no live feed. */
const SERVER_ONLY: FilterName[] = ["tag", "text", "guard"];

export function canFollow(filters: Filters): boolean {
  return SERVER_ONLY.every((name) => !filters[name]);
}

/** Whether a row of the live feed is one that the filters ask for. */
export function passes(row: RequestRow, filters: Filters): boolean {
  const same = (name: FilterName, ...values: (string | null)[]) => !filters[name] || values.includes(filters[name] ?? null);
  return (
    same("client", row.client) &&
    same("group", row.group) &&
    same("model", row.model, row.model_asked) &&
    same("provider", row.provider, row.instance) &&
    same("route", row.route) &&
    same("credential", row.credential) &&
    same("cache", row.cache) &&
    same("tool_calls", String(row.tool_calls)) &&
    (!filters.status || hasStatus(row.status, filters.status))
  );
}

function hasStatus(status: number, wanted: string): boolean {
  return /^\dxx$/.test(wanted) ? Math.floor(status / 100) === Number(wanted[0]) : String(status) === wanted;
}
