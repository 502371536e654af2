// JSON schemas as the gateway serves them, and what a form needs to know of one. Pure functions, no React.

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type JsonObject = { [name: string]: Json };

/** The part of JSON Schema (draft 7) that the gateway's schemas use. */
export interface Schema {
  $ref?: string;
  title?: string;
  description?: string;
  type?: string | string[];
  enum?: Json[];
  const?: Json;
  default?: Json;
  format?: string;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  properties?: Record<string, Schema>;
  patternProperties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  minProperties?: number;
  required?: string[];
  dependencies?: Record<string, Schema | string[]>;
  allOf?: Schema[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  not?: Schema;
  if?: Schema;
  then?: Schema;
  else?: Schema;
  definitions?: Record<string, Schema>;
  $defs?: Record<string, Schema>;
}

/** What stands in a resource for a secret that is stored and not shown. Sent back, it leaves the secret as it is. */
export const MASK = "***";

export function isStoredSecret(value: unknown): boolean {
  return value === MASK;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The schema that a `$ref` stands for: `#/definitions/x`, `#/$defs/x`, or the bare name `x`. */
export function resolve(schema: Schema, root: Schema): Schema {
  let found = schema;
  for (let depth = 0; found.$ref !== undefined && depth < 16; depth++) {
    const name = found.$ref.split("/").pop() ?? "";
    const target = root.definitions?.[name] ?? root.$defs?.[name];
    if (!target) return {};
    found = { ...target, ...without(found, "$ref") };
  }
  return found;
}

function without<T extends object, K extends keyof T>(object: T, key: K): Omit<T, K> {
  const { [key]: _dropped, ...rest } = object;
  return rest;
}

/** What the schema says for this very value: `$ref`, `allOf`, `if` and `dependencies` are folded in. */
export function effective(schema: Schema, value: Json | undefined, root: Schema): Schema {
  let merged = resolve(schema, root);
  for (const part of merged.allOf ?? []) merged = merge(merged, resolve(part, root));
  if (merged.if) {
    const branch = holds(merged.if, withDefaults(merged, value), root) ? merged.then : merged.else;
    if (branch) merged = merge(merged, effective(branch, value, root));
  }
  if (isObject(value)) {
    for (const [name, dependency] of Object.entries(merged.dependencies ?? {})) {
      if (!(name in value)) continue;
      merged = merge(merged, Array.isArray(dependency) ? { required: dependency } : effective(dependency, value, root));
    }
  }
  return merged;
}

/** One schema that says what both say; choices of the second are kept only where the first has none. */
export function merge(first: Schema, second: Schema): Schema {
  return {
    ...second,
    ...first,
    properties: first.properties || second.properties ? { ...second.properties, ...first.properties } : undefined,
    required: [...new Set([...(first.required ?? []), ...(second.required ?? [])])],
  };
}

function withDefaults(schema: Schema, value: Json | undefined): Json | undefined {
  if (!isObject(value) && value !== undefined) return value;
  const filled: JsonObject = { ...(value ?? {}) };
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (!(name in filled) && property.default !== undefined) filled[name] = property.default;
  }
  return filled;
}

/** Whether a value holds; used to pick branches. */
export function holds(schema: Schema, value: Json | undefined, root: Schema): boolean {
  return check(schema, value, root).length === 0;
}

/** The kind of field that a schema asks for. `json` is what no field can show. */
export type FieldKind =
  | "text"
  | "enum"
  | "number"
  | "boolean"
  | "object"
  | "map"
  | "list"
  | "tags"
  | "choices"
  | "variant"
  | "json";

export function kindOf(schema: Schema, root: Schema): FieldKind {
  const s = resolve(schema, root);
  const variants = variantsOf(s, root);
  // Ids may be numbers; as text they are the same id.
  if (variants.length > 1 && variants.every((one) => ["string", "integer"].includes(typesOf(one).join()) && !one.enum)) return "text";
  if (variants.length > 1) return "variant";
  if (s.enum && s.enum.every((one) => typeof one !== "object")) return "enum";
  const types = typesOf(s);
  if (types.length > 1) return "json";
  switch (types[0]) {
    case "string":
      return "text";
    case "integer":
    case "number":
      return "number";
    case "boolean":
      return "boolean";
    case "array":
      return listKind(s, root);
    case "object":
      return objectKind(s);
    default:
      return "json";
  }
}

function listKind(schema: Schema, root: Schema): FieldKind {
  if (!schema.items) return "json";
  const items = resolve(schema.items, root);
  const kind = kindOf(items, root);
  if (kind === "enum") return "choices";
  if (kind === "text" || kind === "number") return "tags";
  if (items.type === "string") return "tags";
  return "list";
}

function objectKind(schema: Schema): FieldKind {
  if (schema.properties && Object.keys(schema.properties).length > 0) return "object";
  return mapValues(schema) ? "map" : "json";
}

/** The schema of the values of a map, if it is one. */
export function mapValues(schema: Schema): Schema | null {
  const pattern = Object.values(schema.patternProperties ?? {})[0];
  if (pattern) return pattern;
  return typeof schema.additionalProperties === "object" ? schema.additionalProperties : null;
}

export function typesOf(schema: Schema): string[] {
  if (Array.isArray(schema.type)) return schema.type;
  if (schema.type) return [schema.type];
  if (schema.properties || schema.patternProperties) return ["object"];
  if (schema.items) return ["array"];
  if (schema.enum) return [...new Set(schema.enum.map((one) => jsonType(one)))];
  return [];
}

/** Alternatives with a shape of their own. Those that only name required members of one object are no variants, and
 * neither are several patterns of one string. */
export function variantsOf(schema: Schema, root: Schema): Schema[] {
  const all = schema.oneOf ?? schema.anyOf ?? [];
  const shaped = all.map((one) => resolve(one, root)).filter((one) => typesOf(one).length > 0);
  if (shaped.length !== all.length || shaped.length < 2) return [];
  if (schema.properties && shaped.every((one) => typesOf(one)[0] === "object")) return [];
  const scalars = new Set(shaped.map((one) => typesOf(one).join()));
  if (scalars.size === 1 && scalars.has("string") && shaped.every((one) => !one.enum)) return [];
  return shaped;
}

export function variantTitle(schema: Schema, index: number): string {
  if (schema.title) return schema.title;
  const type = typesOf(schema)[0];
  const names: Record<string, string> = {
    string: "text",
    integer: "whole number",
    number: "number",
    boolean: "yes or no",
    array: "list",
    object: schema.properties ? "object" : "map",
    null: "nothing",
  };
  return (type && names[type]) ?? `form ${index + 1}`;
}

/** A first value for a schema: its default, or the emptiest that has the members it must have. */
export function blank(schema: Schema, root: Schema): Json {
  const s = resolve(schema, root);
  if (s.default !== undefined && !isObject(s.default)) return s.default;
  if (s.enum) return s.enum[0] ?? "";
  const first = variantsOf(s, root)[0];
  if (first) return blank(first, root);
  switch (typesOf(s)[0]) {
    case "integer":
    case "number":
      return Math.max(s.minimum ?? 0, s.exclusiveMinimum !== undefined ? s.exclusiveMinimum + 1 : -Infinity);
    case "boolean":
      return false;
    case "array":
      return [];
    case "object": {
      const made: JsonObject = {};
      for (const name of s.required ?? []) {
        const property = s.properties?.[name];
        if (property) made[name] = blank(property, root);
      }
      return made;
    }
    default:
      return "";
  }
}

export function jsonType(value: Json | undefined): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

export interface Fault {
  /** Dotted path from the root of the value; empty for the value itself. */
  path: string;
  message: string;
}

/** The faults of a value that the browser can tell. The server has the last word. */
export function check(schema: Schema, value: Json | undefined, root: Schema, path = ""): Fault[] {
  if (value === undefined || isStoredSecret(value)) return [];
  const s = effective(schema, value, root);
  if (typeof value === "string" && /^\$(secret|env|ENV):\/\//.test(value)) return [];
  const own = checkType(s, value, path);
  if (own.length > 0) return own;
  return [
    ...checkScalar(s, value, path),
    ...(Array.isArray(value) ? checkArray(s, value, root, path) : []),
    ...(isObject(value) ? checkObject(s, value, root, path) : []),
    ...checkChoices(s, value, root, path),
  ];
}

function checkType(schema: Schema, value: Json, path: string): Fault[] {
  const types = Array.isArray(schema.type) ? schema.type : schema.type ? [schema.type] : [];
  if (types.length === 0) return [];
  const type = jsonType(value);
  const fits = types.includes(type) || (type === "integer" && types.includes("number"));
  return fits ? [] : [{ path, message: `must be ${types.join(" or ")}` }];
}

function checkScalar(s: Schema, value: Json, path: string): Fault[] {
  const faults: Fault[] = [];
  const add = (message: string) => faults.push({ path, message });
  if (s.enum && !s.enum.some((one) => equal(one, value))) add(`must be one of ${s.enum.map(String).join(", ")}`);
  if (typeof value === "number") {
    if (s.minimum !== undefined && value < s.minimum) add(`must be at least ${s.minimum}`);
    if (s.maximum !== undefined && value > s.maximum) add(`must be at most ${s.maximum}`);
    if (s.exclusiveMinimum !== undefined && value <= s.exclusiveMinimum) add(`must be more than ${s.exclusiveMinimum}`);
    if (s.exclusiveMaximum !== undefined && value >= s.exclusiveMaximum) add(`must be less than ${s.exclusiveMaximum}`);
  }
  if (typeof value === "string") {
    const length = [...value].length;
    if (s.minLength !== undefined && length < s.minLength) {
      add(length === 0 ? "must not be empty" : `must have at least ${s.minLength} characters`);
    }
    if (s.maxLength !== undefined && length > s.maxLength) add(`must have at most ${s.maxLength} characters`);
    if (s.pattern !== undefined && !matches(s.pattern, value)) add(`does not match ${s.pattern}`);
  }
  return faults;
}

function matches(pattern: string, text: string): boolean {
  try {
    return new RegExp(pattern).test(text);
  } catch {
    return true; // a pattern that only the server knows
  }
}

function checkArray(s: Schema, value: Json[], root: Schema, path: string): Fault[] {
  const faults: Fault[] = [];
  if (s.minItems !== undefined && value.length < s.minItems) faults.push({ path, message: `needs at least ${s.minItems}` });
  if (s.maxItems !== undefined && value.length > s.maxItems) faults.push({ path, message: `takes at most ${s.maxItems}` });
  if (s.uniqueItems && new Set(value.map((one) => JSON.stringify(one))).size < value.length) {
    faults.push({ path, message: "has one twice" });
  }
  const items = s.items;
  if (items) value.forEach((one, index) => faults.push(...check(items, one, root, join(path, String(index)))));
  return faults;
}

function checkObject(s: Schema, value: JsonObject, root: Schema, path: string): Fault[] {
  const faults: Fault[] = [];
  for (const name of s.required ?? []) {
    if (!(name in value) && s.properties?.[name]?.default === undefined) {
      faults.push({ path: join(path, name), message: "is needed" });
    }
  }
  if (s.minProperties !== undefined && Object.keys(value).length < s.minProperties) {
    faults.push({ path, message: `needs at least ${s.minProperties} member` });
  }
  for (const [name, member] of Object.entries(value)) {
    const property = s.properties?.[name] ?? patternFor(s, name);
    if (property) faults.push(...check(property, member, root, join(path, name)));
    else if (s.additionalProperties === false) faults.push({ path: join(path, name), message: "is not known here" });
  }
  return faults;
}

function patternFor(s: Schema, name: string): Schema | undefined {
  const entry = Object.entries(s.patternProperties ?? {}).find(([pattern]) => matches(pattern, name));
  if (entry) return entry[1];
  return typeof s.additionalProperties === "object" ? s.additionalProperties : undefined;
}

function checkChoices(s: Schema, value: Json, root: Schema, path: string): Fault[] {
  const faults: Fault[] = [];
  if (s.anyOf && !s.anyOf.some((one) => holds(one, value, root))) faults.push({ path, message: choiceText(s.anyOf) });
  if (s.oneOf) {
    const held = s.oneOf.filter((one) => holds(one, value, root)).length;
    if (held === 0) faults.push({ path, message: choiceText(s.oneOf) });
    if (held > 1) faults.push({ path, message: `only one of these may be given: ${memberLists(s.oneOf).join(" / ")}` });
  }
  if (s.not && holds(s.not, value, root)) faults.push({ path, message: "these do not go together" });
  return faults;
}

/** What a choice asks for, in words. */
export function choiceText(choices: Schema[]): string {
  const lists = memberLists(choices);
  return lists.length > 0 ? `needs one of: ${lists.join(" / ")}` : "fits none of the forms it may have";
}

function memberLists(choices: Schema[]): string[] {
  return choices.map((one) => one.required?.join(" + ")).filter((list): list is string => Boolean(list));
}

export function join(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

export function equal(a: Json | undefined, b: Json | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Paths as servers write them (`/a/0/b`, `a[0].b`, `a.0.b`) in the one form that the form uses. */
export function normalizePath(path: string): string {
  return path
    .replace(/^[$/#]+\.?/, "")
    .replace(/\[(\d+)\]/g, ".$1")
    .replace(/\["?([^"\]]+)"?\]/g, ".$1")
    .replace(/\//g, ".")
    .replace(/^\./, "");
}

/** A title for a member name: `first_byte_hold` → `First byte hold`. */
export function titleOf(name: string, schema: Schema): string {
  if (schema.title) return schema.title;
  const upper: Record<string, string> = { id: "ID", uri: "URI", uris: "URIs", url: "URL", desc: "Description", ttl: "TTL", sni: "SNI", snis: "SNIs", ip: "IP" };
  const known = upper[name];
  if (known) return known;
  const spaced = name.replace(/^_+/, "").replace(/[_-]+/g, " ");
  return spaced.charAt(0).toUpperCase() + spaced.slice(1).replace(/\b(id|api|url|uri|ssl|ttl|aws|gcp|json)\b/g, (word) => word.toUpperCase());
}
