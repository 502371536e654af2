import { Button, Code, Group, Modal, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconCode } from "@tabler/icons-react";

import { BASE } from "../api/client";
import { CopyButton } from "./CopyButton";

interface Props {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Below `/api/v1`. */
  path: string;
  body?: unknown;
}

/** The call that a form makes, for those who would rather script it. The token stays a variable. */
export function ShowAsApiCall({ method, path, body }: Props) {
  const [open, { open: show, close }] = useDisclosure(false);
  return (
    <>
      <Button variant="subtle" size="xs" leftSection={<IconCode size={14} aria-hidden />} onClick={show}>
        Show as API call
      </Button>
      <Modal opened={open} onClose={close} title="As an API call" size="lg" closeButtonProps={{ "aria-label": "Close" }}>
        {open ? <Call method={method} path={path} body={body} /> : null}
      </Modal>
    </>
  );
}

function Call({ method, path, body }: Props) {
  const text = curl(method, `${location.origin}${BASE}${path}`, body);
  return (
    <Stack gap="sm">
      <Text size="sm" c="dimmed">
        With an admin token (Members and roles → Tokens) in <Code>SLUICE_TOKEN</Code>.
      </Text>
      <Code block style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
        {text}
      </Code>
      <Group justify="flex-end">
        <CopyButton value={text} label="Copy the call" text />
      </Group>
    </Stack>
  );
}

export function curl(method: string, url: string, body: unknown): string {
  const parts = [`curl ${method === "GET" ? "" : `-X ${method} `}${quote(url)}`, `-H "Authorization: Bearer $SLUICE_TOKEN"`];
  if (body !== undefined) {
    parts.push(`-H 'Content-Type: application/json'`, `-d ${quote(JSON.stringify(body, null, 2))}`);
  }
  return parts.join(" \\\n  ");
}

/** A word for a POSIX shell. */
export function quote(text: string): string {
  return `'${text.replace(/'/g, `'\\''`)}'`;
}
