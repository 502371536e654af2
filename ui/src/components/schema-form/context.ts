// What every field of a form needs from the form.
import { createContext, useContext, type ReactNode } from "react";

import type { Json, Schema } from "./schema";

export interface FieldProps {
  name: string;
  /** Dotted path from the root of the form's value. */
  path: string;
  schema: Schema;
  value: Json | undefined;
  required: boolean;
  onChange: (value: Json | undefined) => void;
}

export interface FormContext {
  root: Schema;
  /** Faults by dotted path. */
  faults: Record<string, string>;
  /** Whether the member at a dotted path is a secret. */
  isSecret: (path: string) => boolean;
  /** A field of the page's own in place of the generated one. */
  override: (props: FieldProps) => ReactNode | undefined;
  disabled: boolean;
}

export const SchemaFormContext = createContext<FormContext>({
  root: {},
  faults: {},
  isSecret: () => false,
  override: () => undefined,
  disabled: false,
});

export function useSchemaForm(): FormContext {
  return useContext(SchemaFormContext);
}
