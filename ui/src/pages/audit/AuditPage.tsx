import { Button, Group, Stack, TextInput } from "@mantine/core";
import { useState } from "react";
import { useSearchParams } from "react-router";

import { PageHeader } from "../../components/PageHeader";
import { ShowAsApiCall } from "../../components/ShowAsApiCall";
import { AuditList } from "./AuditList";

/** Who changed what, and how it was before. */
export default function AuditPage() {
  const [search, setSearch] = useSearchParams();
  const key = search.get("key") ?? "";
  const caller = search.get("caller") ?? "";
  const set = (name: string, value: string) =>
    setSearch((old) => {
      const next = new URLSearchParams(old);
      if (value) next.set(name, value);
      else next.delete(name);
      return next;
    });
  return (
    <>
      <PageHeader title="Audit" description="Every change of the configuration and every look at a secret, newest first." actions={<ShowAsApiCall method="GET" path={`/audit?${new URLSearchParams({ key, caller }).toString()}`} />} />
      <Stack>
        <Group gap="sm" align="flex-end" role="search" aria-label="Filter the audit log">
          <Committed label="What" placeholder="routes/chat, consumers/…" value={key} onCommit={(value) => set("key", value)} />
          <Committed label="Who" placeholder="Name of a member or token" value={caller} onCommit={(value) => set("caller", value)} />
          {key || caller ? (
            <Button variant="subtle" size="xs" onClick={() => setSearch((old) => { const next = new URLSearchParams(old); next.delete("key"); next.delete("caller"); return next; })}>
              Clear filters
            </Button>
          ) : null}
        </Group>
        <AuditList filterKey={key} caller={caller} />
      </Stack>
    </>
  );
}

function Committed({ label, placeholder, value, onCommit }: { label: string; placeholder: string; value: string; onCommit: (value: string) => void }) {
  const [text, setText] = useState(value);
  const [seen, setSeen] = useState(value);
  if (seen !== value) {
    setSeen(value);
    setText(value);
  }
  return (
    <TextInput
      size="xs"
      w={{ base: "100%", xs: 240 }}
      label={label}
      placeholder={placeholder}
      value={text}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={() => text !== value && onCommit(text.trim())}
      onKeyDown={(event) => event.key === "Enter" && onCommit(text.trim())}
    />
  );
}
