import { Anchor, Badge, Button, Group, Paper, Stack, Table, Text, TextInput, Tooltip } from "@mantine/core";
import { IconAlertTriangle, IconPlus, IconSearch } from "@tabler/icons-react";
import { useState } from "react";
import { Link, useParams } from "react-router";

import { useMay } from "../../api/session";
import { formatAgo } from "../../components/format";
import { PageHeader } from "../../components/PageHeader";
import type { JsonObject } from "../../components/schema-form";
import { ShowAsApiCall } from "../../components/ShowAsApiCall";
import { EmptyState, ErrorState, LoadingState } from "../../components/states";
import { kindTitle, resourcePage, useKinds, useResources } from "./queries";
import { nameOf, pluginsOf, summaryOf } from "./summary";

export function ResourceList() {
  const { kind = "routes" } = useParams();
  const kinds = useKinds();
  const mayWrite = useMay("admin");
  const [text, setText] = useState("");
  const { data, error, refetch } = useResources(kind);
  const found = kinds.data?.find((one) => one.kind === kind);
  const title = found ? kindTitle(found) : kind;
  const wanted = text.trim().toLowerCase();
  const items = (data?.items ?? []).filter((item) => wanted === "" || `${item.id} ${JSON.stringify(item.value)}`.toLowerCase().includes(wanted));
  const create = mayWrite ? (
    <Button component={Link} to={`/resources/${kind}/new`} size="xs" leftSection={<IconPlus size={14} aria-hidden />}>
      Create
    </Button>
  ) : null;
  return (
    <>
      <PageHeader title={title} actions={<><ShowAsApiCall method="GET" path={`/resources/${kind}`} />{create}</>} />
      <Stack>
        {data && data.items.length > 0 ? (
          <TextInput size="sm" maw={360} aria-label={`Search ${title}`} placeholder="Search in everything" leftSection={<IconSearch size={14} aria-hidden />} value={text} onChange={(event) => setText(event.currentTarget.value)} />
        ) : null}
        {error ? <ErrorState error={error} retry={() => void refetch()} /> : null}
        {!data && !error ? <LoadingState /> : null}
        {data && items.length === 0 ? (
          wanted ? <EmptyState title="Nothing has that in it" action={<Button variant="default" onClick={() => setText("")}>Clear the search</Button>} /> : <EmptyState title={`No ${title.toLowerCase()} yet`} action={create}>{EXPLAINED[kind]}</EmptyState>
        ) : null}
        {items.length > 0 ? (
          <Paper style={{ overflow: "hidden" }}>
            <Table.ScrollContainer minWidth={600} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
              <Table highlightOnHover aria-label={title}>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>ID</Table.Th>
                    <Table.Th>What</Table.Th>
                    <Table.Th>Plugins</Table.Th>
                    <Table.Th>Changed</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {items.map((item) => {
                    const value = item.value as JsonObject;
                    const name = nameOf(value);
                    const plugins = pluginsOf(value);
                    return (
                      <Table.Tr key={item.id}>
                        <Table.Td>
                          <Group gap={6} wrap="nowrap">
                            <Anchor component={Link} to={resourcePage(kind, item.id)} fz="sm" ff="monospace" style={{ overflowWrap: "anywhere" }}>
                              {item.id}
                            </Anchor>
                            {value.status === 0 ? <Badge size="xs" variant="default">off</Badge> : null}
                            {item.compile_error ? (
                              <Tooltip label={item.compile_error} multiline maw={360}>
                                <Badge size="xs" color="red" variant="light" leftSection={<IconAlertTriangle size={10} aria-hidden />}>not in force</Badge>
                              </Tooltip>
                            ) : null}
                          </Group>
                        </Table.Td>
                        <Table.Td>
                          {name && name !== item.id ? <Text size="sm" lineClamp={1}>{name}</Text> : null}
                          <Text size="xs" c="dimmed" lineClamp={1}>{summaryOf(kind, value)}</Text>
                        </Table.Td>
                        <Table.Td>
                          <Group gap={4}>
                            {plugins.slice(0, 4).map((plugin) => <Badge key={plugin} size="xs" variant="default">{plugin}</Badge>)}
                            {plugins.length > 4 ? <Text size="xs" c="dimmed">+{plugins.length - 4}</Text> : null}
                          </Group>
                        </Table.Td>
                        <Table.Td><Text size="xs" c="dimmed">{item.updated_at ? formatAgo(item.updated_at) : "–"}</Text></Table.Td>
                      </Table.Tr>
                    );
                  })}
                </Table.Tbody>
              </Table>
            </Table.ScrollContainer>
            {data?.next ? <Text size="xs" c="dimmed" p="sm">The first {data.items.length} are shown.</Text> : null}
          </Paper>
        ) : null}
      </Stack>
    </>
  );
}

const EXPLAINED: Record<string, string> = {
  routes: "A route says which requests go where, and what happens to them on the way. The standard LLM endpoints work without one.",
  services: "A service is what several routes have in common: an upstream and plugins.",
  upstreams: "An upstream is a set of addresses with a way to choose among them.",
  consumers: "A consumer is somebody who calls. Clients are consumers; the page Clients has more comfort for them.",
  consumer_groups: "A consumer group gives several consumers the same plugins and shared limits.",
  plugin_configs: "A plugin config is a set of plugins that several routes use.",
  global_rules: "A global rule puts plugins on every request.",
  ssls: "A certificate with the names that it is for.",
  secrets: "A secret manager, such as Vault, that other resources point to with $secret://.",
  plugin_metadata: "Settings that all uses of one plugin share.",
};
