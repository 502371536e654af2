import { Button, Drawer, Group, Stack, Tabs } from "@mantine/core";
import { useState } from "react";

import type { PluginDescription } from "../../api/types";
import { CodeEditor } from "../../components/code/CodeEditor";
import { Markdown } from "../../components/Markdown";
import { check, isObject, SchemaForm, type Fault, type JsonObject, type Schema } from "../../components/schema-form";
import { docsOf } from "./docs";

interface Props {
  plugin: PluginDescription;
  schema: Schema;
  /** Dotted paths of secrets in its configuration. */
  secrets: string[];
  value: JsonObject;
  faults: Fault[];
  readOnly: boolean;
  onClose: () => void;
  onDone: (value: JsonObject) => void;
}

/** The configuration of one plugin: form, JSON, and what its documentation says. */
export function PluginDrawer({ plugin, schema, secrets, value, faults, readOnly, onClose, onDone }: Props) {
  const [draft, setDraft] = useState(value);
  const [text, setText] = useState("");
  const [tab, setTab] = useState<string | null>("form");
  const [found, setFound] = useState(faults);
  const parsed = tab === "json" ? parse(text) : draft;
  const show = (next: string | null) => {
    if (tab === "json") {
      if (parsed === null) return;
      setDraft(parsed);
    }
    if (next === "json") setText(JSON.stringify(draft, null, 2));
    setTab(next);
  };
  const done = () => {
    if (parsed === null) return;
    const wrong = check(schema, parsed, schema);
    setFound(wrong);
    if (wrong.length === 0) onDone(parsed);
    else {
      setDraft(parsed);
      setTab("form");
    }
  };
  return (
    <Drawer opened onClose={onClose} position="right" size="xl" title={plugin.name} closeButtonProps={{ "aria-label": "Close" }}>
      <Stack>
        <Tabs value={tab} onChange={show} keepMounted={false}>
          <Tabs.List>
            <Tabs.Tab value="form">Form</Tabs.Tab>
            <Tabs.Tab value="json">JSON</Tabs.Tab>
            <Tabs.Tab value="docs">Documentation</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="form" pt="md">
            <SchemaForm
              schema={schema}
              value={draft}
              onChange={(next) => {
                setDraft(next);
                if (found.length > 0) setFound(check(schema, next, schema));
              }}
              faults={found}
              secrets={secrets}
              disabled={readOnly}
            />
          </Tabs.Panel>
          <Tabs.Panel value="json" pt="md">
            <CodeEditor label={`${plugin.name} as JSON`} language="json" value={text} onChange={setText} readOnly={readOnly} height="60vh" />
          </Tabs.Panel>
          <Tabs.Panel value="docs">
            <Markdown text={docsOf(plugin.name)} />
          </Tabs.Panel>
        </Tabs>
        {readOnly ? null : (
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button disabled={parsed === null} onClick={done}>
              Use this
            </Button>
          </Group>
        )}
      </Stack>
    </Drawer>
  );
}

function parse(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}
