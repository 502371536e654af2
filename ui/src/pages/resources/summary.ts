// One line about a resource, for lists.
import { isObject, type Json, type JsonObject } from "../../components/schema-form";

export function nameOf(value: JsonObject): string | null {
  for (const member of ["name", "username", "desc"]) {
    const found = value[member];
    if (typeof found === "string" && found !== "") return found;
  }
  return null;
}

export function pluginsOf(value: JsonObject): string[] {
  return isObject(value.plugins) ? Object.keys(value.plugins) : [];
}

export function summaryOf(kind: string, value: JsonObject): string {
  switch (kind) {
    case "routes":
      return [methods(value), texts(value.uris, value.uri), texts(value.hosts, value.host), target(value)].filter(Boolean).join(" · ");
    case "services":
      return [texts(value.hosts), target(value)].filter(Boolean).join(" · ");
    case "upstreams":
      return [text(value.type), nodes(value.nodes)].filter(Boolean).join(" · ");
    case "ssls":
      return texts(value.snis, value.sni);
    case "consumers":
      return value.group_id ? `group ${String(value.group_id)}` : "";
    case "providers":
      return [text(value.type), text(value.base_url)].filter(Boolean).join(" · ");
    case "models":
      return Array.isArray(value.targets) ? `${value.targets.length} ${value.targets.length === 1 ? "target" : "targets"}` : "";
    case "secrets":
      return text(value.uri) || text(value.region);
    default:
      return text(value.desc);
  }
}

function methods(value: JsonObject): string {
  return Array.isArray(value.methods) ? value.methods.map(String).join(", ") : "";
}

function texts(...members: (Json | undefined)[]): string {
  return members.flatMap((one) => (Array.isArray(one) ? one.map(String) : typeof one === "string" ? [one] : [])).join(", ");
}

function text(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}

function target(value: JsonObject): string {
  if (isObject(value.upstream)) return nodes(value.upstream.nodes);
  if (value.upstream_id !== undefined) return `upstream ${String(value.upstream_id)}`;
  return value.service_id === undefined ? "" : `service ${String(value.service_id)}`;
}

function nodes(value: Json | undefined): string {
  if (Array.isArray(value)) return value.map((node) => (isObject(node) ? [node.host, node.port].filter((part) => part !== undefined).join(":") : "")).join(", ");
  return isObject(value) ? Object.keys(value).join(", ") : "";
}
