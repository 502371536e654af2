import { Button, Fieldset, Group, Stack, Text } from "@mantine/core";

import { More } from "../More";
import { useSchemaForm, type FieldProps } from "./context";
import { Field } from "./Field";
import classes from "./form.module.css";
import { isLong } from "./scalars";
import { blank, choiceText, effective, isObject, join, kindOf, titleOf, type FieldKind, type Json, type JsonObject, type Schema } from "./schema";

/** Kinds that stand beside others in a row; the rest take the whole width. */
const NARROW: FieldKind[] = ["text", "enum", "number", "boolean", "tags", "choices"];

interface ObjectFieldsProps {
  path: string;
  schema: Schema;
  value: Json | undefined;
  hidden?: string[];
  onChange: (value: Json | undefined) => void;
}

/** The members of an object, those that must be given first, and those that have a default of their own under "More". */
export function ObjectFields({ path, schema, value, hidden = [], onChange }: ObjectFieldsProps) {
  const { root, faults } = useSchemaForm();
  const object: JsonObject = isObject(value) ? value : {};
  const shape = effective(schema, object, root);
  const required = new Set(shape.required ?? []);
  const names = Object.keys(shape.properties ?? {}).filter((name) => !hidden.includes(name));
  const unknown = Object.keys(object).filter((name) => !(name in (shape.properties ?? {})) && !hidden.includes(name));
  const basic = names.filter((name) => !isAdvanced(name, shape.properties?.[name] ?? {}, required, object));
  const advanced = names.filter((name) => !basic.includes(name));
  const faulty = advanced.some((name) => Object.keys(faults).some((at) => at === join(path, name) || at.startsWith(`${join(path, name)}.`)));
  const set = (name: string, next: Json | undefined) => {
    const { [name]: _old, ...rest } = object;
    onChange(next === undefined ? rest : { ...object, [name]: next });
  };
  const field = (name: string, member: Schema) => {
    const kind = kindOf(member, root);
    return (
      <div key={name} className={NARROW.includes(kind) && !isLong(name, object[name]) ? (kind === "boolean" ? classes.switch : undefined) : classes.wide}>
        <Field
          name={name}
          path={join(path, name)}
          schema={member}
          value={object[name]}
          required={required.has(name)}
          onChange={(next) => set(name, next)}
        />
      </div>
    );
  };
  const own = faults[path];
  return (
    <>
      <ChoiceHint schema={shape} object={object} />
      {own && path === "" ? (
        <Text c="red" size="sm" role="alert">
          {own}
        </Text>
      ) : null}
      <div className={classes.fields}>
        {basic.map((name) => field(name, shape.properties?.[name] ?? {}))}
        {unknown.map((name) => field(name, {}))}
      </div>
      {advanced.length > 0 ? (
        <More label={`${advanced.length} more ${advanced.length === 1 ? "setting" : "settings"}`} open={faulty || basic.length === 0}>
          <div className={classes.fields}>{advanced.map((name) => field(name, shape.properties?.[name] ?? {}))}</div>
        </More>
      ) : null}
    </>
  );
}

function isAdvanced(name: string, schema: Schema, required: Set<string>, object: JsonObject): boolean {
  if (required.has(name) || name in object) return false;
  return schema.default !== undefined || name === "_meta" || name === "labels" || name === "script";
}

function ChoiceHint({ schema, object }: { schema: Schema; object: JsonObject }) {
  const choices = [schema.oneOf, schema.anyOf].filter((one): one is Schema[] => Boolean(one?.length));
  const open = choices.filter(
    (list) =>
      list.every((one) => one.required) &&
      !list.some((one) => one.required?.every((name) => name in object)),
  );
  if (open.length === 0) return null;
  return (
    <Text size="sm" c="dimmed">
      {open.map((list) => sentence(choiceText(list))).join(". ")}.
    </Text>
  );
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** An object among the members of another: absent until it is added. */
export function ObjectField({ name, path, schema, value, required, onChange }: FieldProps) {
  const { root, faults, disabled } = useSchemaForm();
  const title = titleOf(name, schema);
  if (value === undefined && !required) {
    return (
      <div>
        <Button variant="default" size="xs" disabled={disabled} onClick={() => onChange(blank({ ...schema, type: "object" }, root))}>
          Add {title.toLowerCase()}
        </Button>
        {schema.description ? (
          <Text size="xs" c="dimmed" mt={4}>
            {schema.description}
          </Text>
        ) : null}
      </div>
    );
  }
  return (
    <Fieldset legend={title} disabled={disabled}>
      <Stack gap="md">
        {schema.description ? (
          <Text size="xs" c="dimmed">
            {schema.description}
          </Text>
        ) : null}
        {faults[path] ? (
          <Text c="red" size="xs" role="alert">
            {faults[path]}
          </Text>
        ) : null}
        <ObjectFields path={path} schema={schema} value={value} onChange={(next) => onChange(next ?? {})} />
        {required ? null : (
          <Group>
            <Button variant="subtle" color="red" size="compact-xs" onClick={() => onChange(undefined)}>
              Remove {title.toLowerCase()}
            </Button>
          </Group>
        )}
      </Stack>
    </Fieldset>
  );
}
