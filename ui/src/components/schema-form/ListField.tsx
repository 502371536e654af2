import { ActionIcon, Button, Group, Paper, Stack, TagsInput, Text } from "@mantine/core";
import { IconArrowDown, IconArrowUp, IconTrash } from "@tabler/icons-react";

import { useSchemaForm, type FieldProps } from "./context";
import { Field } from "./Field";
import { ObjectFields } from "./ObjectField";
import { blank, isObject, join, kindOf, resolve, titleOf, typesOf, type Json } from "./schema";
import { useCommon } from "./scalars";

/** A list of texts or numbers. */
export function TagsField(props: FieldProps) {
  const common = useCommon(props);
  const { root } = useSchemaForm();
  const numeric = ["integer", "number"].includes(typesOf(resolve(props.schema.items ?? {}, root))[0] ?? "");
  const value = Array.isArray(props.value) ? props.value.map(String) : [];
  const read = (text: string): Json => (numeric && text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text);
  return (
    <TagsInput
      {...common}
      error={common.error ?? itemFault(useSchemaForm().faults, props.path)}
      value={value}
      allowDuplicates
      splitChars={numeric ? [",", " "] : []}
      placeholder={value.length === 0 ? "Type and press Enter" : undefined}
      acceptValueOnBlur
      onChange={(next) => props.onChange(next.length === 0 && !props.required ? undefined : next.map(read))}
    />
  );
}

function itemFault(faults: Record<string, string>, path: string): string | undefined {
  const entry = Object.entries(faults).find(([at]) => at.startsWith(`${path}.`));
  return entry && `entry ${Number(entry[0].slice(path.length + 1).split(".")[0]) + 1}: ${entry[1]}`;
}

/** A list of objects, or of whatever else is no plain text. */
export function ListField(props: FieldProps) {
  const { root, faults, disabled } = useSchemaForm();
  const { name, path, schema, onChange } = props;
  const items = resolve(schema.items ?? {}, root);
  const list = Array.isArray(props.value) ? props.value : [];
  const title = titleOf(name, schema);
  const one = singular(title);
  const put = (next: Json[]) => onChange(next.length === 0 && !props.required ? undefined : next);
  const replace = (index: number, next: Json | undefined) =>
    put(list.map((old, at) => (at === index ? (next ?? blank(items, root)) : old)));
  const move = (index: number, by: number) => {
    const next = [...list];
    const [moved] = next.splice(index, 1);
    if (moved !== undefined) next.splice(index + by, 0, moved);
    put(next);
  };
  return (
    <div role="group" aria-label={title}>
      <Text size="sm" fw={500}>
        {title}
        {props.required ? <Text span c="red" aria-hidden> *</Text> : null}
      </Text>
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
      <Stack gap="xs" mt={6}>
        {list.map((entry, index) => (
          <Paper key={index} withBorder p="sm" radius="sm">
            <Group justify="space-between" mb="xs" wrap="nowrap">
              <Text size="sm" c="dimmed" truncate>
                {one} {index + 1}
                {entryName(entry)}
              </Text>
              <Group gap={2} wrap="nowrap">
                <ActionIcon variant="subtle" color="gray" size="sm" disabled={disabled || index === 0} aria-label={`Move ${one} ${index + 1} up`} onClick={() => move(index, -1)}>
                  <IconArrowUp size={14} aria-hidden />
                </ActionIcon>
                <ActionIcon variant="subtle" color="gray" size="sm" disabled={disabled || index === list.length - 1} aria-label={`Move ${one} ${index + 1} down`} onClick={() => move(index, 1)}>
                  <IconArrowDown size={14} aria-hidden />
                </ActionIcon>
                <ActionIcon variant="subtle" color="red" size="sm" disabled={disabled} aria-label={`Remove ${one} ${index + 1}`} onClick={() => put(list.filter((_, at) => at !== index))}>
                  <IconTrash size={14} aria-hidden />
                </ActionIcon>
              </Group>
            </Group>
            <Stack gap="sm">
              {kindOf(items, root) === "object" && isObject(entry) ? (
                <ObjectFields path={join(path, String(index))} schema={items} value={entry} onChange={(next) => replace(index, next)} />
              ) : (
                <Field name={one} path={join(path, String(index))} schema={items} value={entry} required onChange={(next) => replace(index, next)} />
              )}
            </Stack>
          </Paper>
        ))}
        <Group>
          <Button variant="default" size="xs" disabled={disabled} onClick={() => put([...list, blank(items, root)])}>
            Add {one.toLowerCase()}
          </Button>
        </Group>
      </Stack>
    </div>
  );
}

function entryName(entry: Json): string {
  if (!isObject(entry)) return "";
  const name = entry.name ?? entry.id ?? entry.host ?? entry.role;
  return typeof name === "string" && name !== "" ? ` · ${name}` : "";
}

function singular(title: string): string {
  if (title.endsWith("ies")) return `${title.slice(0, -3)}y`;
  if (title.endsWith("sses")) return title.slice(0, -2);
  return title.endsWith("s") && !title.endsWith("ss") ? title.slice(0, -1) : title;
}
