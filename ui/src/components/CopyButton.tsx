import { ActionIcon, Button, Tooltip } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";
import { useEffect, useState } from "react";

import { notifyFailed } from "./notify";

/** Browsers keep their clipboard from pages without TLS; there the old way still works. */
async function toClipboard(text: string): Promise<void> {
  if (window.isSecureContext) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("This browser does not let the page copy; select the text instead.");
}

function useCopy(value: string): { copied: boolean; copy: () => void } {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2000);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = () => {
    toClipboard(value).then(
      () => setCopied(true),
      (error: unknown) => notifyFailed(error, "Not copied"),
    );
  };
  return { copied, copy };
}

/** Copies a text. With `text`, a button with words; without, an icon. */
export function CopyButton({ value, label, text }: { value: string; label: string; text?: boolean }) {
  const { copied, copy } = useCopy(value);
  const Icon = copied ? IconCheck : IconCopy;
  if (text) {
    return (
      <Button variant="default" size="xs" leftSection={<Icon size={14} aria-hidden />} onClick={copy}>
        {copied ? "Copied" : label}
      </Button>
    );
  }
  return (
    <Tooltip label={copied ? "Copied" : label}>
      <ActionIcon variant="subtle" color={copied ? "teal" : "gray"} onClick={copy} aria-label={copied ? "Copied" : label}>
        <Icon size={16} aria-hidden />
      </ActionIcon>
    </Tooltip>
  );
}
