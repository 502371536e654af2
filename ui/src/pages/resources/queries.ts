import { useQuery } from "@tanstack/react-query";

import { api, segment } from "../../api/client";
import type { Kind, Page, PluginDescription, ResourceItem } from "../../api/types";

export function useKinds() {
  return useQuery({ queryKey: ["kinds"], queryFn: ({ signal }) => api.get<{ items: Kind[] }>("/kinds", undefined, signal), staleTime: Infinity, select: (data) => data.items });
}

export function usePlugins() {
  return useQuery({ queryKey: ["plugins"], queryFn: ({ signal }) => api.get<{ items: PluginDescription[] }>("/plugins", undefined, signal), staleTime: Infinity, select: (data) => data.items });
}

/** All resources of a kind, up to a number that a page can still show. */
export function useResources(kind: string, enabled = true) {
  return useQuery({
    queryKey: ["resources", kind],
    queryFn: ({ signal }) => api.get<Page<ResourceItem>>(`/resources/${segment(kind)}`, { limit: 1000 }, signal),
    enabled,
  });
}

/** The path of a resource below `/api/v1`. Ids such as `vault/1` keep their slash. */
export function resourcePath(kind: string, id: string): string {
  return `/resources/${segment(kind)}/${id.split("/").map(segment).join("/")}`;
}

/** The page of a resource. */
export function resourcePage(kind: string, id: string): string {
  return `/resources/${segment(kind)}/edit/${id.split("/").map(segment).join("/")}`;
}

/** Kinds in the order in which one reads a configuration, not in that of the alphabet. */
const ORDER = ["routes", "services", "upstreams", "plugin_configs", "global_rules", "consumers", "credentials", "consumer_groups", "plugin_metadata", "ssls", "secrets", "providers", "models"];

export function inOrder(kinds: Kind[]): Kind[] {
  const place = (kind: Kind) => (ORDER.includes(kind.kind) ? ORDER.indexOf(kind.kind) : ORDER.length);
  return [...kinds].sort((a, b) => place(a) - place(b) || a.title.localeCompare(b.title));
}
