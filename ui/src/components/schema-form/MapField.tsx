import { ActionIcon, Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { IconTrash } from "@tabler/icons-react";
import { useState } from "react";

import { useSchemaForm, type FieldProps } from "./context";
import { Field } from "./Field";
import { blank, isObject, join, kindOf, mapValues, titleOf, type Json, type JsonObject } from "./schema";

/** An object with names of the user's own, such as headers. */
export function MapField(props: FieldProps) {
  const { root, faults, disabled } = useSchemaForm();
  const { name, path, schema, onChange } = props;
  const [added, setAdded] = useState("");
  const values = mapValues(schema) ?? {};
  const map: JsonObject = isObject(props.value) ? props.value : {};
  const title = titleOf(name, schema);
  const put = (next: JsonObject) => onChange(Object.keys(next).length === 0 && !props.required ? undefined : next);
  const set = (key: string, next: Json | undefined) => put({ ...map, [key]: next ?? blank(values, root) });
  const add = () => {
    const key = added.trim();
    if (key === "" || key in map) return;
    put({ ...map, [key]: blank(values, root) });
    setAdded("");
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
        {Object.keys(map).map((key) => (
          <Group key={key} align={kindOf(values, root) === "object" ? "flex-start" : "flex-end"} gap="xs" wrap="nowrap">
            <div style={{ flex: 1, minWidth: 0 }}>
              <Field
                name={key}
                path={join(path, key)}
                schema={{ ...values, title: key }}
                value={map[key]}
                required
                onChange={(next) => set(key, next)}
              />
            </div>
            <ActionIcon
              variant="subtle"
              color="red"
              size="lg"
              disabled={disabled}
              aria-label={`Remove ${key} from ${title}`}
              onClick={() => put(Object.fromEntries(Object.entries(map).filter(([other]) => other !== key)))}
            >
              <IconTrash size={16} aria-hidden />
            </ActionIcon>
          </Group>
        ))}
        <Group gap="xs" wrap="nowrap">
          <TextInput
            size="xs"
            flex={1}
            maw={320}
            aria-label={`New name in ${title}`}
            placeholder="Name"
            value={added}
            disabled={disabled}
            spellCheck={false}
            error={added.trim() in map ? "is there already" : undefined}
            onChange={(event) => setAdded(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key !== "Enter") return;
              event.preventDefault();
              add();
            }}
          />
          <Button variant="default" size="xs" disabled={disabled || added.trim() === ""} onClick={add}>
            Add
          </Button>
        </Group>
      </Stack>
    </div>
  );
}
