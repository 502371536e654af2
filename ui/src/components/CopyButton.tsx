import { ActionIcon, Button, Tooltip } from "@mantine/core";
import { useClipboard } from "@mantine/hooks";
import { IconCheck, IconCopy } from "@tabler/icons-react";

/** Copies a text. With `text`, a button with words; without, an icon. */
export function CopyButton({ value, label, text }: { value: string; label: string; text?: boolean }) {
  const { copied, copy } = useClipboard({ timeout: 2000 });
  const Icon = copied ? IconCheck : IconCopy;
  if (text) {
    return (
      <Button variant="default" size="xs" leftSection={<Icon size={14} aria-hidden />} onClick={() => copy(value)}>
        {copied ? "Copied" : label}
      </Button>
    );
  }
  return (
    <Tooltip label={copied ? "Copied" : label}>
      <ActionIcon variant="subtle" color={copied ? "teal" : "gray"} onClick={() => copy(value)} aria-label={copied ? "Copied" : label}>
        <Icon size={16} aria-hidden />
      </ActionIcon>
    </Tooltip>
  );
}
