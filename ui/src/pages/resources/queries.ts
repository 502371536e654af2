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
    queryFn: ({ signal }) => api.get<Page<ResourceItem>>(`/resources/${segment(kind)}`, { limit: 500 }, signal),
    enabled,
  });
}

/** The path of a resource below `/api/v1`; the slash of an id such as `vault/1` is escaped. */
export function resourcePath(kind: string, id: string): string {
  return `/resources/${segment(kind)}/${segment(id)}`;
}

/** The page of a resource. */
export function resourcePage(kind: string, id: string): string {
  return `/resources/${segment(kind)}/edit/${segment(id)}`;
}

const TITLES: Record<string, string> = {
  routes: "Routes",
  services: "Services",
  upstreams: "Upstreams",
  plugin_configs: "Plugin configs",
  global_rules: "Global rules",
  consumers: "Consumers",
  consumer_groups: "Consumer groups",
  plugin_metadata: "Plugin metadata",
  ssls: "Certificates",
  secrets: "Secret managers",
  providers: "Providers",
  models: "Models",
};

/** A kind as the menu calls it. */
export function kindTitle(kind: Kind): string {
  return TITLES[kind.kind] ?? kind.title;
}

/** Kinds in the order in which one reads a configuration, not in that of the alphabet. */
const ORDER = ["routes", "services", "upstreams", "plugin_configs", "global_rules", "consumers", "credentials", "consumer_groups", "plugin_metadata", "ssls", "secrets", "providers", "models"];

export function inOrder(kinds: Kind[]): Kind[] {
  const place = (kind: Kind) => (ORDER.includes(kind.kind) ? ORDER.indexOf(kind.kind) : ORDER.length);
  return [...kinds].sort((a, b) => place(a) - place(b) || kindTitle(a).localeCompare(kindTitle(b)));
}
