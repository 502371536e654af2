import { ActionIcon, Button, Group, Input, Stack, TextInput } from "@mantine/core";
import { IconTrash } from "@tabler/icons-react";
import { useState } from "react";

interface Props {
  label: string;
  description?: string;
  error?: string;
  /** What the left and the right side are called. */
  names: [string, string];
  value: Record<string, string>;
  onChange: (value: Record<string, string>) => void;
}

/** Texts by name, one pair a row. */
export function PairsInput({ label, description, error, names, value, onChange }: Props) {
  const [rows, setRows] = useState<[string, string][]>(() => Object.entries(value));
  const put = (next: [string, string][]) => {
    setRows(next);
    onChange(Object.fromEntries(next.filter(([name]) => name.trim() !== "")));
  };
  return (
    <Input.Wrapper label={label} description={description} error={error} labelElement="div">
      <Stack gap={6} mt={4} role="group" aria-label={label}>
        {rows.map(([name, text], index) => (
          <Group key={index} gap="xs" wrap="nowrap">
            <TextInput size="xs" flex={1} aria-label={`${names[0]} ${index + 1}`} placeholder={names[0]} value={name} onChange={(event) => { const next = event.currentTarget.value; put(rows.map((row, at) => (at === index ? [next, row[1]] : row))); }} />
            <TextInput size="xs" flex={2} aria-label={`${names[1]} ${index + 1}`} placeholder={names[1]} value={text} onChange={(event) => { const next = event.currentTarget.value; put(rows.map((row, at) => (at === index ? [row[0], next] : row))); }} />
            <ActionIcon variant="subtle" color="red" aria-label={`Remove ${label.toLowerCase()} ${index + 1}`} onClick={() => put(rows.filter((_, at) => at !== index))}>
              <IconTrash size={14} aria-hidden />
            </ActionIcon>
          </Group>
        ))}
        <Group>
          <Button size="compact-xs" variant="default" onClick={() => setRows([...rows, ["", ""]])}>
            Add
          </Button>
        </Group>
      </Stack>
    </Input.Wrapper>
  );
}
