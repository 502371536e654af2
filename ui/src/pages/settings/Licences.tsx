import { Paper, Table, Text, Title } from "@mantine/core";

import { More } from "../../components/More";

/** What the dashboard is made of. */
const PARTS = [
  ["React", "MIT"],
  ["React Router", "MIT"],
  ["Mantine", "MIT"],
  ["TanStack Query", "MIT"],
  ["Recharts", "MIT"],
  ["Tabler Icons", "MIT"],
  ["CodeMirror, Lezer", "MIT"],
];

export function Licences() {
  return (
    <Paper p="md">
      <Title order={2} size="h3" mb={4}>
        Licences
      </Title>
      <Text size="sm">Sluice is free software under the Apache License 2.0.</Text>
      <More label="Parts of this dashboard">
        <Table w="auto" aria-label="Licences of the dashboard's parts">
          <Table.Tbody>
            {PARTS.map(([name, licence]) => (
              <Table.Tr key={name}>
                <Table.Td>{name}</Table.Td>
                <Table.Td>{licence}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </More>
    </Paper>
  );
}
