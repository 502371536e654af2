import { Badge, Group, Modal, ScrollArea, Stack, Text, TextInput, UnstyledButton } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { useState } from "react";

import type { PluginDescription } from "../../api/types";
import { summaryOfPlugin } from "./docs";
import classes from "./resources.module.css";

interface Props {
  opened: boolean;
  plugins: PluginDescription[];
  onClose: () => void;
  onPick: (plugin: PluginDescription) => void;
}

/** The plugins that can be added, with what each is for. */
export function PluginPicker({ opened, plugins, onClose, onPick }: Props) {
  const [text, setText] = useState("");
  const wanted = text.trim().toLowerCase();
  const shown = plugins.filter((plugin) => `${plugin.name} ${summaryOfPlugin(plugin.name)}`.toLowerCase().includes(wanted)).sort((a, b) => Number(b.name.startsWith("ai-")) - Number(a.name.startsWith("ai-")) || a.name.localeCompare(b.name));
  return (
    <Modal opened={opened} onClose={onClose} title="Add a plugin" size="lg" closeButtonProps={{ "aria-label": "Close" }}>
      <Stack gap="sm">
        <TextInput data-autofocus aria-label="Search plugins" placeholder="Search" leftSection={<IconSearch size={14} aria-hidden />} value={text} onChange={(event) => setText(event.currentTarget.value)} />
        <ScrollArea.Autosize mah="60vh" type="auto">
          {shown.length === 0 ? <Text size="sm" c="dimmed">No plugin has that name, or it is there already.</Text> : null}
          {shown.map((plugin) => (
            <UnstyledButton key={plugin.name} className={classes.pick} onClick={() => onPick(plugin)}>
              <Group justify="space-between" wrap="nowrap">
                <Text size="sm" fw={500}>{plugin.name}</Text>
                <Badge size="xs" variant="default">{plugin.priority}</Badge>
              </Group>
              <Text size="xs" c="dimmed" lineClamp={2}>{summaryOfPlugin(plugin.name)}</Text>
            </UnstyledButton>
          ))}
        </ScrollArea.Autosize>
      </Stack>
    </Modal>
  );
}
