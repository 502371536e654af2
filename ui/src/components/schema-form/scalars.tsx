import { MultiSelect, NumberInput, Select, Switch, Textarea, TextInput } from "@mantine/core";

import { useSchemaForm, type FieldProps } from "./context";
import { resolve, titleOf, type Json, type Schema } from "./schema";

/** Words under a field: what it is, its bounds, and what holds when it is left out. */
export function describe(schema: Schema): string | undefined {
  const parts = [schema.description, bounds(schema), schema.default !== undefined ? `default ${printed(schema.default)}` : undefined];
  const text = parts.filter(Boolean).join(" · ");
  return text === "" ? undefined : text;
}

function bounds(s: Schema): string | undefined {
  const low = s.minimum ?? s.exclusiveMinimum;
  const high = s.maximum ?? s.exclusiveMaximum;
  if (low !== undefined && high !== undefined) return `${low} to ${high}`;
  if (s.exclusiveMinimum !== undefined) return `more than ${s.exclusiveMinimum}`;
  if (low !== undefined && low > 0) return `at least ${low}`;
  if (high !== undefined) return `at most ${high}`;
  return undefined;
}

function printed(value: Json): string {
  return typeof value === "string" ? (value === "" ? "empty" : value) : JSON.stringify(value);
}

export function useCommon({ name, path, schema, required }: FieldProps) {
  const { faults, disabled } = useSchemaForm();
  return {
    label: titleOf(name, schema),
    description: describe(schema),
    withAsterisk: required,
    error: faults[path],
    disabled,
  };
}

const LONG = /content|prompt|cert|certificate|template|^script$|filter_func|^ca$|body|service_account_json|private_key|public_key/;

/** Whether a text is edited in several lines. */
export function isLong(name: string, value: Json | undefined): boolean {
  return LONG.test(name) || (typeof value === "string" && value.includes("\n"));
}

export function TextField(props: FieldProps) {
  const common = useCommon(props);
  const text = typeof props.value === "string" || typeof props.value === "number" ? String(props.value) : "";
  const change = (next: string) => props.onChange(next === "" && !props.required ? undefined : next);
  const placeholder = typeof props.schema.default === "string" ? props.schema.default : undefined;
  if (isLong(props.name, text)) {
    return (
      <Textarea
        {...common}
        autosize
        minRows={2}
        maxRows={14}
        value={text}
        placeholder={placeholder}
        spellCheck={false}
        onChange={(event) => change(event.currentTarget.value)}
      />
    );
  }
  return (
    <TextInput
      {...common}
      value={text}
      placeholder={placeholder}
      spellCheck={false}
      autoComplete="off"
      onChange={(event) => change(event.currentTarget.value)}
    />
  );
}

export function NumberField(props: FieldProps) {
  const common = useCommon(props);
  const { schema, value, onChange } = props;
  return (
    <NumberInput
      {...common}
      value={typeof value === "number" || typeof value === "string" ? value : ""}
      placeholder={schema.default === undefined ? undefined : String(schema.default)}
      allowDecimal={schema.type !== "integer"}
      clampBehavior="none"
      thousandSeparator=" "
      onChange={(next) => onChange(next === "" ? undefined : next)}
    />
  );
}

export function BooleanField(props: FieldProps) {
  const { label, description, error, disabled } = useCommon(props);
  const shown = typeof props.value === "boolean" ? props.value : props.schema.default === true;
  return (
    <Switch
      label={label}
      description={description}
      error={error}
      disabled={disabled}
      checked={shown}
      onChange={(event) => props.onChange(event.currentTarget.checked)}
    />
  );
}

export function EnumField(props: FieldProps) {
  const common = useCommon(props);
  const { schema, value, onChange } = props;
  const options = schema.enum ?? [];
  const current = value === undefined ? null : String(value);
  const labels = options.map(String);
  const data = current !== null && !labels.includes(current) ? [...labels, current] : labels;
  return (
    <Select
      {...common}
      data={data.map((one) => ({ value: one, label: enumLabel(props.name, one) }))}
      value={current}
      placeholder={schema.default === undefined ? "Not set" : `${enumLabel(props.name, String(schema.default))} (default)`}
      searchable={options.length > 8}
      clearable={!props.required}
      onChange={(next) => onChange(next === null ? undefined : options.find((one) => String(one) === next))}
    />
  );
}

function enumLabel(name: string, value: string): string {
  if (name === "status" && value === "1") return "enabled";
  if (name === "status" && value === "0") return "disabled";
  return value;
}

export function ChoicesField(props: FieldProps) {
  const common = useCommon(props);
  const { root } = useSchemaForm();
  const options = resolve(props.schema.items ?? {}, root).enum ?? [];
  const value = Array.isArray(props.value) ? props.value.map(String) : [];
  return (
    <MultiSelect
      {...common}
      data={[...new Set([...options.map(String), ...value])]}
      value={value}
      placeholder={value.length === 0 ? "Choose" : undefined}
      clearable
      onChange={(next) =>
        props.onChange(
          next.length === 0 && !props.required ? undefined : next.map((one) => options.find((o) => String(o) === one) ?? one),
        )
      }
    />
  );
}
