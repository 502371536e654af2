import { Anchor, Button, Group, Paper, SimpleGrid, Stack, Text } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { api } from "../../api/client";
import { useMay } from "../../api/session";
import type { Page, Provider } from "../../api/types";
import { formatCount, formatMs } from "../../components/format";
import { HealthBadge } from "../../components/HealthBadge";
import { PageHeader } from "../../components/PageHeader";
import { ShowAsApiCall } from "../../components/ShowAsApiCall";
import { EmptyState, ErrorState, LoadingState } from "../../components/states";

/** Where answers come from. */
export function ProvidersPage() {
  const mayWrite = useMay("admin");
  const { data, error, refetch } = useQuery({ queryKey: ["providers"], queryFn: ({ signal }) => api.get<Page<Provider>>("/providers", { limit: 500 }, signal), refetchInterval: 10_000 });
  const create = mayWrite ? <Button component={Link} to="/providers/new" size="xs" leftSection={<IconPlus size={14} aria-hidden />}>Add provider</Button> : null;
  return (
    <>
      <PageHeader title="Providers" description="Where answers come from. Models point to them; clients may bring their own." actions={<><ShowAsApiCall method="GET" path="/providers" />{create}</>} />
      {error && !data ? <ErrorState error={error} retry={() => void refetch()} /> : null}
      {!data && !error ? <LoadingState /> : null}
      {data && data.items.length === 0 ? <EmptyState title="No providers yet" action={create}>Add one with its key; a test call shows at once whether it works.</EmptyState> : null}
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
        {(data?.items ?? []).map((provider) => (
          <Paper key={provider.id} p="md">
            <Stack gap={6}>
              <Group justify="space-between" wrap="nowrap">
                <Anchor component={Link} to={`/providers/${encodeURIComponent(provider.id)}`} fw={600} style={{ overflowWrap: "anywhere" }}>{provider.name ?? provider.id}</Anchor>
                <HealthBadge health={provider.health} />
              </Group>
              <Text size="sm" c="dimmed" style={{ overflowWrap: "anywhere" }}>{provider.type}{provider.base_url ? ` · ${provider.base_url}` : ""}</Text>
              <Text size="sm">{provider.api_key_set ? `Key ${provider.api_key_hint ?? "set"}` : "No key"} · {formatMs(provider.last_latency_ms)}</Text>
              <Text size="sm">{formatCount(provider.requests_today)} requests today, {formatCount(provider.errors_today)} errors</Text>
              <Text size="xs" c="dimmed">{provider.models_using.length === 0 ? "No model points to it" : `Used by ${provider.models_using.slice(0, 4).join(", ")}${provider.models_using.length > 4 ? " …" : ""}`}</Text>
              {provider.last_error ? <Text size="xs" c="red" style={{ overflowWrap: "anywhere" }}>{provider.last_error}</Text> : null}
            </Stack>
          </Paper>
        ))}
      </SimpleGrid>
    </>
  );
}
