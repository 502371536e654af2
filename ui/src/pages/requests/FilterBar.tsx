import { Button, CloseButton, Group, Select, TextInput } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { useState } from "react";

import { ClientSelect } from "../../components/ClientSelect";
import { FILTER_TITLES, FILTERS, type FilterName, type Filters } from "./filters";
import classes from "./requests.module.css";

const STATUSES = [
  { value: "2xx", label: "2xx · answered" },
  { value: "4xx", label: "4xx · refused" },
  { value: "429", label: "429 · over a limit" },
  { value: "5xx", label: "5xx · failed" },
];
const CACHE = [
  { value: "hit", label: "Hit" },
  { value: "miss", label: "Miss" },
  { value: "bypass", label: "Bypass" },
];
const TOOLS = [
  { value: "true", label: "With tool calls" },
  { value: "false", label: "Without" },
];
/** Filters with a control of their own; the others come by links and show as chips. */
const SHOWN: FilterName[] = ["client", "model", "provider", "status", "tool_calls", "cache", "text"];

export function FilterBar({ filters, onChange }: { filters: Filters; onChange: (filters: Filters) => void }) {
  const set = (name: FilterName, value: string | null) => onChange({ ...filters, [name]: value || undefined });
  const linked = FILTERS.filter((name) => filters[name] && !SHOWN.includes(name));
  const any = FILTERS.some((name) => filters[name]);
  return (
    <div>
      <div className={classes.filters} role="search" aria-label="Filter requests">
        <ClientSelect label="Client" value={filters.client ?? null} onChange={(value) => set("client", value)} placeholder="Any client" size="xs" />
        <TextFilter name="model" value={filters.model} onCommit={(value) => set("model", value)} />
        <TextFilter name="provider" value={filters.provider} onCommit={(value) => set("provider", value)} />
        <Select size="xs" label="Status" placeholder="Any" data={STATUSES} value={filters.status ?? null} clearable onChange={(value) => set("status", value)} />
        <Select size="xs" label="Tool calls" placeholder="Any" data={TOOLS} value={filters.tool_calls ?? null} clearable onChange={(value) => set("tool_calls", value)} />
        <Select size="xs" label="Cache" placeholder="Any" data={CACHE} value={filters.cache ?? null} clearable onChange={(value) => set("cache", value)} />
        <TextFilter name="text" value={filters.text} onCommit={(value) => set("text", value)} />
      </div>
      {any ? (
        <Group gap="xs" mt="xs">
          {linked.map((name) => (
            <span key={name} className={classes.chip}>
              {FILTER_TITLES[name]}: {filters[name]}
              <CloseButton size="xs" aria-label={`Remove filter ${FILTER_TITLES[name]}`} onClick={() => set(name, null)} />
            </span>
          ))}
          <Button variant="subtle" size="compact-xs" onClick={() => onChange({})}>
            Clear all filters
          </Button>
        </Group>
      ) : null}
    </div>
  );
}

/** A text that becomes a filter on Enter or when the field is left. */
function TextFilter({ name, value, onCommit }: { name: FilterName; value: string | undefined; onCommit: (value: string) => void }) {
  const [text, setText] = useState(value ?? "");
  const [seen, setSeen] = useState(value);
  if (seen !== value) {
    setSeen(value);
    setText(value ?? "");
  }
  const commit = () => {
    if (text.trim() !== (value ?? "")) onCommit(text.trim());
  };
  return (
    <TextInput
      size="xs"
      label={FILTER_TITLES[name]}
      placeholder={name === "text" ? "Request id, path, error…" : "Any"}
      leftSection={name === "text" ? <IconSearch size={14} aria-hidden /> : undefined}
      value={text}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={commit}
      onKeyDown={(event) => event.key === "Enter" && commit()}
    />
  );
}
