import { Alert, Anchor, Badge, Button, Group, Paper, Select, Stack, Table, Text, Textarea, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";

import { api } from "../../api/client";
import type { MatchResult } from "../../api/types";
import { PageHeader } from "../../components/PageHeader";
import { ShowAsApiCall } from "../../components/ShowAsApiCall";
import { ErrorState } from "../../components/states";
import { resourcePage } from "./queries";
import classes from "./resources.module.css";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/** Asks the router which route would take a request, without sending one. */
export function MatchPage() {
  const [method, setMethod] = useState("POST");
  const [scheme, setScheme] = useState("http");
  const [host, setHost] = useState("");
  const [path, setPath] = useState("/v1/chat/completions");
  const [headers, setHeaders] = useState("");
  const [address, setAddress] = useState("");
  const [plainPath, query] = splitQuery(path);
  const body = { method, scheme, host: host || undefined, path: plainPath, query: query || undefined, headers: parseHeaders(headers), remote_addr: address || undefined };
  const match = useMutation({ mutationFn: () => api.post<MatchResult>("/match", body) });
  const badHeader = headers.split("\n").find((line) => line.trim() !== "" && !line.includes(":"));
  const badPath = path !== "" && !path.startsWith("/") ? "must start with /" : undefined;
  return (
    <>
      <PageHeader title="Match tester" description="Which route takes this request, and which plugins run on it? Nothing is sent." />
      <div className={classes.columns}>
        <Paper p="md">
          <form
            onSubmit={(event) => {
              event.preventDefault();
              if (!badHeader && !badPath) match.mutate();
            }}
          >
            <Stack>
              <Group gap="sm" wrap="nowrap" align="flex-start">
                <Select label="Method" w={120} data={METHODS} value={method} allowDeselect={false} onChange={(value) => setMethod(value ?? "POST")} />
                <TextInput label="Path" flex={1} required value={path} error={badPath} description="With ?query, if there is one" onChange={(event) => setPath(event.currentTarget.value)} />
              </Group>
              <Group gap="sm" grow>
                <TextInput label="Host" placeholder="api.example.com" value={host} onChange={(event) => setHost(event.currentTarget.value)} />
                <Select label="Scheme" data={["http", "https"]} value={scheme} allowDeselect={false} onChange={(value) => setScheme(value ?? "http")} />
              </Group>
              <TextInput label="Client address" placeholder="203.0.113.7" value={address} onChange={(event) => setAddress(event.currentTarget.value)} />
              <Textarea label="Headers" description="One a line, name: value" autosize minRows={2} maxRows={8} spellCheck={false} value={headers} error={badHeader ? `“${badHeader}” has no colon` : undefined} onChange={(event) => setHeaders(event.currentTarget.value)} />
              <Group justify="space-between">
                <ShowAsApiCall method="POST" path="/match" body={body} />
                <Button type="submit" loading={match.isPending}>
                  Find the route
                </Button>
              </Group>
            </Stack>
          </form>
        </Paper>
        <div aria-live="polite">
          {match.error ? <ErrorState error={match.error} /> : null}
          {match.data ? <Result result={match.data} /> : null}
        </div>
      </div>
    </>
  );
}

function splitQuery(path: string): [string, string] {
  const at = path.indexOf("?");
  return at < 0 ? [path, ""] : [path.slice(0, at), path.slice(at + 1)];
}

function parseHeaders(text: string): Record<string, string> | undefined {
  const pairs = text.split("\n").flatMap((line) => {
    const at = line.indexOf(":");
    return at > 0 ? [[line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim()] as const] : [];
  });
  return pairs.length > 0 ? Object.fromEntries(pairs) : undefined;
}

function Result({ result }: { result: MatchResult }) {
  const { route } = result;
  return (
    <Stack>
      <Alert variant="light" color={route ? "teal" : "orange"} title={route ? "A route takes it" : "No route takes it"}>
        {route ? (
          <Group gap="xs">
            {route.built_in ? (
              <>
                <Text size="sm" ff="monospace">{route.name ?? route.id}</Text>
                <Badge size="sm" variant="default">built in</Badge>
              </>
            ) : (
              <Anchor component={Link} to={resourcePage("routes", route.id)} fz="sm" underline="always">
                {route.name ? `${route.name} (${route.id})` : route.id}
              </Anchor>
            )}
          </Group>
        ) : (
          <Text size="sm">The answer would be {result.would_be}.</Text>
        )}
        <Text size="sm" mt={4}>
          {result.why}
        </Text>
      </Alert>
      {result.plugins.length > 0 ? (
        <Paper>
          <Table aria-label="Plugins that would run">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Plugin, in order</Table.Th>
                <Table.Th>From</Table.Th>
                <Table.Th ta="right">Priority</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {result.plugins.map((plugin) => (
                <Table.Tr key={plugin.name}>
                  <Table.Td>{plugin.name}</Table.Td>
                  <Table.Td>{plugin.from}</Table.Td>
                  <Table.Td ta="right">{plugin.priority}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Paper>
      ) : null}
      {result.tried.length > 0 ? (
        <Paper>
          <Table aria-label="Routes that were looked at">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Looked at</Table.Th>
                <Table.Th>Not taken since</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {result.tried.map((route) => (
                <Table.Tr key={route.id}>
                  <Table.Td>{route.name ?? route.id}</Table.Td>
                  <Table.Td>{route.reason}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Paper>
      ) : null}
    </Stack>
  );
}
