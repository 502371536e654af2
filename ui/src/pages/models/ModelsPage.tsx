import { Anchor, Badge, Button, Group, Paper, Stack, Table, Tabs, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconPlus, IconSearch } from "@tabler/icons-react";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";

import { api } from "../../api/client";
import { useMay } from "../../api/session";
import type { Page, Price, Rates } from "../../api/types";
import { formatMoney } from "../../components/format";
import { PageHeader } from "../../components/PageHeader";
import { isObject } from "../../components/schema-form";
import { ShowAsApiCall } from "../../components/ShowAsApiCall";
import { EmptyState, ErrorState, LoadingState } from "../../components/states";
import { modelPage, ratesOf, type Model } from "./model";

/** The names that clients ask for, what answers them, and what that costs. */
export function ModelsPage() {
  const mayWrite = useMay("admin");
  const create = mayWrite ? <Button component={Link} to="/models/new" size="xs" leftSection={<IconPlus size={14} aria-hidden />}>Add model</Button> : null;
  return (
    <>
      <PageHeader title="Models" description="The names that clients ask for, the targets that answer, and prices." actions={<><ShowAsApiCall method="GET" path="/models" />{create}</>} />
      <Tabs defaultValue="models" keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="models">Registry</Tabs.Tab>
          <Tabs.Tab value="prices">Prices</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="models"><Registry create={create} /></Tabs.Panel>
        <Tabs.Panel value="prices"><Prices /></Tabs.Panel>
      </Tabs>
    </>
  );
}

function Registry({ create }: { create: React.ReactNode }) {
  const [text, setText] = useState("");
  const { data, error, refetch } = useQuery({ queryKey: ["models"], queryFn: ({ signal }) => api.get<Page<Model>>("/models", { limit: 500 }, signal) });
  if (error && !data) return <ErrorState error={error} retry={() => void refetch()} />;
  if (!data) return <LoadingState />;
  if (data.items.length === 0) return <EmptyState title="No models yet" action={create}>A model gives a name to one or more targets at providers. Clients with a provider of their own need none.</EmptyState>;
  const shown = data.items.filter((model) => JSON.stringify(model).toLowerCase().includes(text.trim().toLowerCase()));
  return (
    <Stack>
      <TextInput maw={360} aria-label="Search models" placeholder="Search" leftSection={<IconSearch size={14} aria-hidden />} value={text} onChange={(event) => setText(event.currentTarget.value)} />
      {shown.length === 0 ? <EmptyState title="No model has that in it" /> : (
        <Paper style={{ overflow: "hidden" }}>
          <Table.ScrollContainer minWidth={700} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
            <Table aria-label="Models" highlightOnHover fz={13}>
              <Table.Thead><Table.Tr><Table.Th>Name</Table.Th><Table.Th>Targets</Table.Th><Table.Th>Strategy</Table.Th><Table.Th ta="right">Input, per million</Table.Th><Table.Th ta="right">Output, per million</Table.Th></Table.Tr></Table.Thead>
              <Table.Tbody>{shown.map((model) => <Row key={model.id} model={model} />)}</Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </Paper>
      )}
    </Stack>
  );
}

function Row({ model }: { model: Model }) {
  const targets = Array.isArray(model.targets) ? model.targets.filter(isObject) : [];
  const name = typeof model.name === "string" ? model.name : model.id;
  return (
    <Table.Tr>
      <Table.Td style={{ overflowWrap: "anywhere" }}><Anchor component={Link} to={modelPage(model.id)} fz="sm" fw={500}>{name}</Anchor>{name === model.id ? null : <Text size="xs" c="dimmed">{model.id}</Text>}</Table.Td>
      <Table.Td><Group gap={4}>{targets.slice(0, 3).map((target, index) => <Badge key={index} size="sm" variant="default">{String(target.provider)}{target.model ? ` · ${String(target.model)}` : ""}</Badge>)}{targets.length > 3 ? <Text size="xs" c="dimmed">+{targets.length - 3}</Text> : null}</Group></Table.Td>
      <Table.Td>{String(model.strategy ?? "weighted").replace(/_/g, " ")}</Table.Td>
      <PriceCells price={model.price} />
    </Table.Tr>
  );
}

function PriceCells({ price }: { price: Price }) {
  if (price.state === "unpriced") return <Table.Td colSpan={2} ta="right"><Text size="sm" c="dimmed" fs="italic">unpriced</Text></Table.Td>;
  return (
    <>
      <Table.Td ta="right">{rate(ratesOf(price).input)}{price.source === "configured" ? <Badge size="xs" variant="light" color="blue" ml={6}>own</Badge> : null}</Table.Td>
      <Table.Td ta="right">{rate(ratesOf(price).output)}</Table.Td>
    </>
  );
}

function rate(value: number | undefined): string {
  return value === undefined ? "–" : formatMoney(value);
}

interface PriceRow {
  model: string;
  provider?: string;
  source: "table" | "configured";
  rates: Rates;
}

function Prices() {
  const [text, setText] = useState("");
  const [search] = useDebouncedValue(text.trim(), 250);
  const { data, error, refetch } = useQuery({ queryKey: ["models", "prices", search], queryFn: ({ signal }) => api.get<Page<PriceRow>>("/prices", { search, limit: 200 }, signal), placeholderData: keepPreviousData });
  return (
    <Stack>
      <Text size="sm" c="dimmed">Dollars per million tokens: the table of this build, and what models set for themselves. Nothing is fetched from anywhere.</Text>
      <TextInput maw={360} aria-label="Search prices" placeholder="Model or provider" leftSection={<IconSearch size={14} aria-hidden />} value={text} onChange={(event) => setText(event.currentTarget.value)} />
      {error && !data ? <ErrorState error={error} retry={() => void refetch()} /> : null}
      {!data && !error ? <LoadingState /> : null}
      {data && data.items.length === 0 ? <EmptyState title="No price is known for that">Set one on the model; until then its calls are shown as unpriced.</EmptyState> : null}
      {data && data.items.length > 0 ? (
        <Paper style={{ overflow: "hidden" }}>
          <Table.ScrollContainer minWidth={640} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
            <Table aria-label="Prices" fz={13}>
              <Table.Thead><Table.Tr><Table.Th>Model</Table.Th><Table.Th>Provider</Table.Th><Table.Th ta="right">Input</Table.Th><Table.Th ta="right">Cache read</Table.Th><Table.Th ta="right">Output</Table.Th><Table.Th>From</Table.Th></Table.Tr></Table.Thead>
              <Table.Tbody>
                {data.items.map((row) => (
                  <Table.Tr key={`${row.provider ?? ""}/${row.model}/${row.source}`}>
                    <Table.Td style={{ overflowWrap: "anywhere" }}>{row.model}</Table.Td><Table.Td>{row.provider ?? "any"}</Table.Td>
                    <Table.Td ta="right">{rate(row.rates.input)}</Table.Td><Table.Td ta="right">{rate(row.rates.cache_read)}</Table.Td><Table.Td ta="right">{rate(row.rates.output)}</Table.Td>
                    <Table.Td>{row.source === "table" ? "table" : "configured"}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </Paper>
      ) : null}
    </Stack>
  );
}
