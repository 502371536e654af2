// A form made from a JSON schema. What no field can show is edited as JSON, so that nothing is out of reach.
import { Stack } from "@mantine/core";
import { useMemo, type ReactNode } from "react";

import { SchemaFormContext, type FieldProps } from "./context";
import { ObjectFields } from "./ObjectField";
import { isObject, normalizePath, type Fault, type Json, type JsonObject, type Schema } from "./schema";

export interface SchemaFormProps {
  schema: Schema;
  value: JsonObject;
  onChange: (value: JsonObject) => void;
  /** Faults that the server or the page found; shown at their fields. */
  faults?: Fault[];
  /** Dotted paths of secrets; list indices may be left out. */
  secrets?: string[];
  /** Members that the form leaves out. */
  hidden?: string[];
  /** A field of the page's own for some path; undefined keeps the generated one. */
  override?: (props: FieldProps) => ReactNode | undefined;
  disabled?: boolean;
}

const NOTHING: readonly never[] = [];

export function SchemaForm(props: SchemaFormProps) {
  const { schema, value, onChange, faults, secrets = NOTHING as unknown as string[], hidden = [], override, disabled = false } = props;
  const context = useMemo(
    () => ({
      root: schema,
      faults: Object.fromEntries((faults ?? []).map((fault) => [normalizePath(fault.path), fault.message])),
      isSecret: (path: string) => isSecretPath(path, secrets),
      override: override ?? (() => undefined),
      disabled,
    }),
    [schema, faults, secrets, override, disabled],
  );
  return (
    <SchemaFormContext.Provider value={context}>
      <Stack gap="md">
        <ObjectFields
          path=""
          schema={schema}
          value={value}
          hidden={hidden}
          onChange={(next) => onChange(isObject(next as Json) ? (next as JsonObject) : {})}
        />
      </Stack>
    </SchemaFormContext.Provider>
  );
}

/** Whether a path is one of the secrets or below one; indices of lists do not count. */
function isSecretPath(path: string, secrets: readonly string[]): boolean {
  const plain = path
    .split(".")
    .filter((part) => !/^\d+$/.test(part))
    .join(".");
  return secrets.some((secret) => plain === secret || plain.startsWith(`${secret}.`));
}
