import { Anchor, Badge, Group, Paper, Stack, Text, TextInput } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { useState } from "react";
import { Link, useParams } from "react-router";

import { Markdown } from "../../components/Markdown";
import { PageHeader } from "../../components/PageHeader";
import { EmptyState, ErrorState, LoadingState } from "../../components/states";
import { docsOf, summaryOfPlugin } from "./docs";
import { usePlugins } from "./queries";

/** What plugins there are, in the order in which they run, with their documentation. */
export function PluginsPage() {
  const { name } = useParams();
  const { data, error, refetch } = usePlugins();
  const [text, setText] = useState("");
  if (error) return <ErrorState error={error} retry={() => void refetch()} />;
  if (!data) return <LoadingState />;
  const one = data.find((plugin) => plugin.name === name);
  if (one) {
    return (
      <>
        <PageHeader title={one.name} description={`Priority ${one.priority}. Higher runs first.`} back={<Anchor component={Link} to="/resources/plugins" fz="sm">All plugins</Anchor>} />
        <Paper p="md">
          <Markdown text={docsOf(one.name)} />
        </Paper>
      </>
    );
  }
  const shown = [...data].sort((a, b) => b.priority - a.priority).filter((plugin) => plugin.name.includes(text.trim().toLowerCase()));
  return (
    <>
      <PageHeader title="Plugins" description="In the order in which they run." />
      <Stack>
        <TextInput maw={360} aria-label="Search plugins" placeholder="Search" leftSection={<IconSearch size={14} aria-hidden />} value={text} onChange={(event) => setText(event.currentTarget.value)} />
        {shown.length === 0 ? <EmptyState title="No plugin has that name" /> : null}
        {shown.map((plugin) => (
          <Paper key={plugin.name} p="sm">
            <Group justify="space-between" wrap="nowrap">
              <div style={{ minWidth: 0 }}>
                <Anchor component={Link} to={`/resources/plugins/${plugin.name}`} fz="sm" fw={600}>
                  {plugin.name}
                </Anchor>
                <Text size="xs" c="dimmed" lineClamp={2}>
                  {summaryOfPlugin(plugin.name)}
                </Text>
              </div>
              <Badge variant="default" size="sm">
                {plugin.priority}
              </Badge>
            </Group>
          </Paper>
        ))}
      </Stack>
    </>
  );
}
