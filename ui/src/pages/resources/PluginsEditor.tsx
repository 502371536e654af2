import { ActionIcon, Alert, Badge, Button, Group, Stack, Switch, Text } from "@mantine/core";
import { IconPencil, IconPlus, IconTrash } from "@tabler/icons-react";
import { useState } from "react";

import type { PluginDescription } from "../../api/types";
import { blank, isObject, type Fault, type FieldProps, type JsonObject, type Schema } from "../../components/schema-form";
import { PluginDrawer } from "./PluginDrawer";
import { PluginPicker } from "./PluginPicker";
import classes from "./resources.module.css";

interface Props extends FieldProps {
  kind: string;
  plugins: PluginDescription[];
  faults: Fault[];
  readOnly: boolean;
}

/** The plugins of a resource: what is on, in the order in which they run; add, change, switch off, remove. */
export function PluginsEditor({ value, onChange, kind, plugins, faults, readOnly, required }: Props) {
  const [edited, setEdited] = useState<string | null>(null);
  const [picking, setPicking] = useState(false);
  const configured: JsonObject = isObject(value) ? value : {};
  const known = new Map(plugins.map((plugin) => [plugin.name, plugin]));
  const names = Object.keys(configured).sort((a, b) => (known.get(b)?.priority ?? 0) - (known.get(a)?.priority ?? 0));
  const put = (next: JsonObject) => onChange(Object.keys(next).length === 0 && !required ? undefined : next);
  const set = (name: string, conf: JsonObject) => put({ ...configured, [name]: conf });
  const remove = (name: string) => put(Object.fromEntries(Object.entries(configured).filter(([other]) => other !== name)));
  const own = faults.find((fault) => fault.path === "plugins");
  const plugin = edited === null ? undefined : known.get(edited);
  return (
    <div role="group" aria-label="Plugins">
      <Group justify="space-between" mb={6}>
        <Text size="sm" fw={500}>
          Plugins
        </Text>
        {readOnly ? null : (
          <Button size="xs" variant="default" leftSection={<IconPlus size={14} aria-hidden />} onClick={() => setPicking(true)}>
            Add plugin
          </Button>
        )}
      </Group>
      {own ? <Text size="xs" c="red" role="alert">{own.message}</Text> : null}
      <Stack gap="xs">
        {names.length === 0 ? <Text size="sm" c="dimmed">None.</Text> : null}
        {names.map((name) => {
          const wrong = faults.find((fault) => fault.path.startsWith(`plugins.${name}`));
          return (
            <div key={name} className={classes.plugin}>
              <div>
                <Group gap="xs">
                  <Text size="sm" fw={500}>{name}</Text>
                  {known.has(name) ? <Badge size="xs" variant="default">{known.get(name)?.priority}</Badge> : <Badge size="xs" color="red" variant="light">unknown</Badge>}
                  {isDisabled(configured[name]) ? <Badge size="xs" variant="light" color="gray">off</Badge> : null}
                </Group>
                {wrong ? <Text size="xs" c="red">{wrong.path.slice(`plugins.${name}`.length + 1)} {wrong.message}</Text> : null}
              </div>
              <Group gap={4} wrap="nowrap">
                <Switch size="xs" aria-label={`${name} is on`} disabled={readOnly} checked={!isDisabled(configured[name])} onChange={(event) => set(name, withDisabled(configured[name], !event.currentTarget.checked))} />
                <ActionIcon variant="subtle" color="gray" aria-label={`${readOnly ? "Look at" : "Edit"} ${name}`} onClick={() => setEdited(name)}>
                  <IconPencil size={16} aria-hidden />
                </ActionIcon>
                <ActionIcon variant="subtle" color="red" disabled={readOnly} aria-label={`Remove ${name}`} onClick={() => remove(name)}>
                  <IconTrash size={16} aria-hidden />
                </ActionIcon>
              </Group>
            </div>
          );
        })}
      </Stack>
      <PluginPicker
        opened={picking}
        plugins={plugins.filter((one) => !(one.name in configured) && (one.scope !== "global" || kind === "global_rules"))}
        onClose={() => setPicking(false)}
        onPick={(picked) => {
          set(picked.name, blankConf(picked, kind));
          setPicking(false);
          setEdited(picked.name);
        }}
      />
      {edited !== null && !plugin ? (
        <Alert color="orange" variant="light" mt="xs" withCloseButton closeButtonLabel="Close" onClose={() => setEdited(null)}>
          This gateway has no plugin {edited}; change it in the JSON view.
        </Alert>
      ) : null}
      {edited !== null && plugin ? (
        <PluginDrawer
          plugin={plugin}
          schema={schemaOn(plugin, kind)}
          secrets={(onConsumer(kind) ? plugin.consumer_encrypted_fields : undefined) ?? plugin.encrypted_fields ?? []}
          value={isObject(configured[edited]) ? configured[edited] : {}}
          faults={faults.filter((fault) => fault.path.startsWith(`plugins.${edited}.`)).map((fault) => ({ ...fault, path: fault.path.slice(`plugins.${edited}.`.length) }))}
          readOnly={readOnly}
          onClose={() => setEdited(null)}
          onDone={(conf) => {
            set(edited, conf);
            setEdited(null);
          }}
        />
      ) : null}
    </div>
  );
}

function onConsumer(kind: string): boolean {
  return kind === "consumers" || kind === "credentials";
}

function schemaOn(plugin: PluginDescription, kind: string): Schema {
  return (onConsumer(kind) && plugin.consumer_schema ? plugin.consumer_schema : plugin.schema) as Schema;
}

function blankConf(plugin: PluginDescription, kind: string): JsonObject {
  const schema = schemaOn(plugin, kind);
  const made = blank({ ...schema, type: "object" }, schema);
  return isObject(made) ? made : {};
}

function isDisabled(conf: unknown): boolean {
  return isObject(conf) && isObject(conf._meta) && conf._meta.disable === true;
}

function withDisabled(conf: unknown, disable: boolean): JsonObject {
  const object = isObject(conf) ? conf : {};
  const { disable: _old, ...meta } = isObject(object._meta) ? object._meta : {};
  const next = disable ? { ...meta, disable: true } : meta;
  const { _meta: _dropped, ...rest } = object;
  return Object.keys(next).length > 0 ? { ...rest, _meta: next } : rest;
}
