// The documentation pages of the gateway, shown as elements: there is no way from text to HTML in here.
import { Anchor, Code, Table, Text, Title } from "@mantine/core";
import { Fragment, type ReactNode } from "react";

type Block =
  | { kind: "heading"; level: number; text: string }
  | { kind: "code"; text: string }
  | { kind: "list"; ordered: boolean; items: string[] }
  | { kind: "table"; head: string[]; rows: string[][] }
  | { kind: "text"; text: string };

export function Markdown({ text }: { text: string }) {
  return (
    <div>
      {blocks(text).map((block, index) => (
        <Fragment key={index}>{render(block)}</Fragment>
      ))}
    </div>
  );
}

export function blocks(text: string): Block[] {
  const lines = text.replace(/\r\n/g, "\n").split("\n");
  const found: Block[] = [];
  let at = 0;
  const take = (test: (line: string) => boolean): string[] => {
    const taken: string[] = [];
    for (let line = lines[at]; line !== undefined && test(line); line = lines[at]) {
      taken.push(line);
      at++;
    }
    return taken;
  };
  while (at < lines.length) {
    const line = lines[at] ?? "";
    const heading = /^(#{1,6})\s+(.*)$/.exec(line);
    if (line.trim() === "") at++;
    else if (heading) {
      found.push({ kind: "heading", level: heading[1]?.length ?? 1, text: heading[2] ?? "" });
      at++;
    } else if (line.startsWith("```")) {
      at++;
      found.push({ kind: "code", text: take((one) => !one.startsWith("```")).join("\n") });
      at++;
    } else if (line.startsWith("    ")) {
      found.push({ kind: "code", text: take((one) => one.startsWith("    ") || one.trim() === "").map((one) => one.slice(4)).join("\n").trimEnd() });
    } else if (line.startsWith("|")) found.push(table(take((one) => one.startsWith("|"))));
    else if (ITEM.test(line)) found.push({ kind: "list", ordered: /^\d/.test(line.trim()), items: items(take((one) => one.trim() !== "")) });
    else found.push({ kind: "text", text: take((one) => one.trim() !== "" && !/^(#|```|\|)/.test(one) && !ITEM.test(one)).join(" ") });
  }
  return found;
}

const ITEM = /^\s*([*-]|\d+\.)\s+/;

function items(lines: string[]): string[] {
  const found: string[] = [];
  for (const line of lines) {
    if (ITEM.test(line)) found.push(line.replace(ITEM, ""));
    else found.push(`${found.pop() ?? ""} ${line.trim()}`);
  }
  return found;
}

function table(lines: string[]): Block {
  const cells = (line: string) => line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replace(/\\\|/g, "|"));
  const rows = lines.map(cells);
  return { kind: "table", head: rows[0] ?? [], rows: rows.slice(2) };
}

function render(block: Block): ReactNode {
  switch (block.kind) {
    case "heading":
      return <Title order={block.level < 3 ? 3 : 4} size={block.level < 2 ? "h2" : "h3"} mt="md" mb={4}>{inline(block.text)}</Title>;
    case "code":
      return <Code block my="xs" style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>{block.text}</Code>;
    case "list": {
      const List = block.ordered ? "ol" : "ul";
      return <List style={{ paddingInlineStart: "1.25rem", marginBlock: "0.5rem" }}>{block.items.map((item, index) => <Text key={index} size="sm" component="li">{inline(item)}</Text>)}</List>;
    }
    case "table":
      return (
        <Table.ScrollContainer minWidth={420} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
          <Table fz="xs" verticalSpacing={4} my="xs">
            <Table.Thead><Table.Tr>{block.head.map((cell, index) => <Table.Th key={index}>{inline(cell)}</Table.Th>)}</Table.Tr></Table.Thead>
            <Table.Tbody>{block.rows.map((row, index) => <Table.Tr key={index}>{row.map((cell, at) => <Table.Td key={at}>{inline(cell)}</Table.Td>)}</Table.Tr>)}</Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      );
    case "text":
      return <Text size="sm" my={6}>{inline(block.text)}</Text>;
  }
}

/** Code, bold, emphasis and links of one line. Links to other files of the documentation stay words. */
function inline(text: string): ReactNode[] {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*|\[[^\]]+\]\([^)]+\))/).map((part, index) => {
    if (/^`.+`$/.test(part)) return <Code key={index}>{part.slice(1, -1)}</Code>;
    if (/^\*\*.+\*\*$/.test(part)) return <b key={index}>{part.slice(2, -2)}</b>;
    if (/^\*.+\*$/.test(part)) return <i key={index}>{part.slice(1, -1)}</i>;
    const link = /^\[([^\]]+)\]\(([^)]+)\)$/.exec(part);
    if (!link) return part;
    const target = link[2] ?? "";
    return /^https?:\/\//.test(target) ? <Anchor key={index} href={target} target="_blank" rel="noreferrer" fz="inherit">{link[1]}</Anchor> : link[1];
  });
}
