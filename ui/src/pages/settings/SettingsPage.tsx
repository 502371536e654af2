import { Badge, Code, Group, Paper, SimpleGrid, Stack, Table, Text, TextInput, Title } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";

import { api, apiUrl } from "../../api/client";
import { useSession } from "../../api/session";
import type { SettingItem, Settings } from "../../api/types";
import { CopyButton } from "../../components/CopyButton";
import { formatBytes, formatCount } from "../../components/format";
import { PageHeader } from "../../components/PageHeader";
import { ShowAsApiCall } from "../../components/ShowAsApiCall";
import { EmptyState, ErrorState, LoadingState } from "../../components/states";
import { Licences } from "./Licences";

/** What this process runs with, and where each value comes from. */
export default function SettingsPage() {
  const { data, error, refetch } = useQuery({ queryKey: ["settings"], queryFn: ({ signal }) => api.get<Settings>("/settings", undefined, signal), refetchInterval: 15_000 });
  return (
    <>
      <PageHeader
        title="Settings"
        description="Values in force and where they come from. They are changed in the file, the environment or the command line, and read at the start."
        actions={
          <>
            <ShowAsApiCall method="GET" path="/settings" />
          </>
        }
      />
      {error && !data ? <ErrorState error={error} retry={() => void refetch()} /> : null}
      {!data && !error ? <LoadingState rows={10} /> : null}
      {data ? (
        <Stack>
          <Cards settings={data} />
          <Values items={data.items} />
          <Licences />
        </Stack>
      ) : null}
    </>
  );
}

function Cards({ settings: s }: { settings: Settings }) {
  const session = useSession();
  return (
    <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
      <Card title="Listeners">
        <Fact name="Proxy">{s.listeners.proxy.map((one) => <Address key={one} value={one} />)}</Fact>
        <Fact name="Admin and dashboard">{s.listeners.admin ? <Address value={s.listeners.admin} /> : "none"}</Fact>
        <Fact name="Metrics">{s.listeners.metrics ? <Address value={s.listeners.metrics} /> : "on the admin listener"}</Fact>
        <Fact name="Public address">{s.public_url ? <Address value={s.public_url} /> : "not set"}</Fact>
      </Card>
      <Card title="Storage">
        <Fact name="Configuration">{formatBytes(s.storage.config_db_bytes)}</Fact>
        <Fact name="Ledger">{formatBytes(s.storage.ledger_db_bytes)}</Fact>
        <Fact name="Requests in the ledger">{formatCount(s.storage.ledger_records)}</Fact>
      </Card>
      <Card title="Retention">
        <Fact name="Requests are kept">{days(s.ledger.retention_days)}</Fact>
        <Fact name="Payloads are kept">{days(s.ledger.payload_retention_days)}</Fact>
        <Fact name="Waiting to be written">{formatCount(s.ledger.queue)}</Fact>
        <Fact name="Spilled to disk">{s.ledger.spilled > 0 ? <Badge size="sm" color="orange" variant="light">{formatCount(s.ledger.spilled)}</Badge> : "none"}</Fact>
      </Card>
      <Card title="Health and exporters">
        <Health value={s.health} />
      </Card>
      <Card title="This build">
        <Fact name="Version">{session.version}</Fact>
        <Fact name="Commit"><Code>{session.commit}</Code></Fact>
        <Fact name="API"><a href={apiUrl("/openapi.json")}>OpenAPI document</a></Fact>
      </Card>
    </SimpleGrid>
  );
}

function days(value: number | null): string {
  return value === null || value === 0 ? "for ever" : `${value} ${value === 1 ? "day" : "days"}`;
}

function Card({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Paper p="md">
      <Title order={2} size="h3" mb="xs">
        {title}
      </Title>
      <Stack gap={6}>{children}</Stack>
    </Paper>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <Group justify="space-between" gap="xs" align="flex-start">
      <Text size="sm" c="dimmed">
        {name}
      </Text>
      <Text size="sm" component="div" ta="right" style={{ overflowWrap: "anywhere" }}>
        {children}
      </Text>
    </Group>
  );
}

function Address({ value }: { value: string }) {
  return (
    <Group gap={2} justify="flex-end" wrap="nowrap">
      <Code>{value}</Code>
      <CopyButton value={value} label={`Copy ${value}`} />
    </Group>
  );
}

/** Whatever the gateway says of its parts: a word, or a word by part. */
function Health({ value }: { value: Settings["health"] }) {
  if (typeof value === "string") return <Fact name="Status"><State value={value} /></Fact>;
  const parts = Object.entries(value ?? {});
  if (parts.length === 0) return <Text size="sm" c="dimmed">Nothing to report.</Text>;
  return (
    <>
      {parts.map(([name, state]) => (
        <Fact key={name} name={name.replace(/_/g, " ")}>
          <State value={state} />
        </Fact>
      ))}
    </>
  );
}

function State({ value }: { value: unknown }) {
  const text = typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
  const good = /^(ok|ready|healthy|true|up|connected)$/i.test(text);
  const bad = /^(failing|false|down|degraded|error|unhealthy)/i.test(text);
  return good || bad ? <Badge size="sm" variant="light" color={good ? "teal" : "red"}>{text}</Badge> : <>{text}</>;
}

const SOURCES: Record<SettingItem["source"], { label: string; color: string }> = {
  default: { label: "default", color: "gray" },
  file: { label: "file", color: "blue" },
  environment: { label: "environment", color: "grape" },
  option: { label: "command line", color: "teal" },
  apisix: { label: "APISIX file", color: "orange" },
};

function Values({ items }: { items: SettingItem[] }) {
  const [text, setText] = useState("");
  const wanted = text.trim().toLowerCase();
  const shown = items.filter((item) => wanted === "" || `${item.key} ${item.help} ${item.source}`.toLowerCase().includes(wanted));
  return (
    <Paper>
      <Group justify="space-between" p="md" pb="xs">
        <Title order={2} size="h3">
          Effective values
        </Title>
        <TextInput size="xs" aria-label="Find a setting" placeholder="Find a setting" leftSection={<IconSearch size={14} aria-hidden />} value={text} onChange={(event) => setText(event.currentTarget.value)} />
      </Group>
      {shown.length === 0 ? <EmptyState title="No setting has that name" /> : (
        <Table.ScrollContainer minWidth={640} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
          <Table aria-label="Effective values">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Setting</Table.Th>
                <Table.Th>Value</Table.Th>
                <Table.Th>From</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {shown.map((item) => (
                <Table.Tr key={item.key}>
                  <Table.Td>
                    <Text size="sm" ff="monospace">
                      {item.key}
                    </Text>
                    <Text size="xs" c="dimmed">
                      {item.help}
                    </Text>
                  </Table.Td>
                  <Table.Td style={{ overflowWrap: "anywhere" }}>
                    {item.secret ? <Text size="sm" c="dimmed" fs="italic">{item.value === null ? "not set" : "set, hidden"}</Text> : <Text size="sm" ff="monospace">{printed(item.value)}</Text>}
                  </Table.Td>
                  <Table.Td>
                    <Badge size="sm" variant="light" color={SOURCES[item.source]?.color ?? "gray"}>
                      {SOURCES[item.source]?.label ?? item.source}
                    </Badge>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Paper>
  );
}

function printed(value: unknown): string {
  if (value === null || value === undefined || value === "") return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}
