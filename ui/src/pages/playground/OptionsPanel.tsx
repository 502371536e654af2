import { Button, Group, JsonInput, NumberInput, Paper, Stack, Switch, Textarea } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";

import { segment } from "../../api/client";
import { More } from "../../components/More";
import { ShowAsApiCall } from "../../components/ShowAsApiCall";
import { EXAMPLE_SCHEMA, EXAMPLE_TOOL, parseSchema, parseTools, type Options } from "./conversation";
import classes from "./playground.module.css";

interface Props {
  options: Options;
  onChange: (options: Options) => void;
  client: string;
  body: unknown;
}

const MONO = { input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: "var(--mantine-font-size-xs)" } };

/** What goes along with every message. */
export function OptionsPanel({ options, onChange, client, body }: Props) {
  const wide = useMediaQuery("(min-width: 62em)", true);
  const set = (change: Partial<Options>) => onChange({ ...options, ...change });
  const tools = parseTools(options.tools);
  const schema = parseSchema(options.schema);
  const fields = (
    <Stack gap="sm">
      <Textarea label="System prompt" autosize minRows={3} maxRows={10} value={options.system} onChange={(event) => set({ system: event.currentTarget.value })} />
      <NumberInput label="Temperature" placeholder="the model’s default" min={0} max={2} step={0.1} decimalScale={2} value={options.temperature ?? ""} onChange={(value) => set({ temperature: value === "" ? null : Number(value) })} />
      <NumberInput label="Most output tokens" placeholder="no cap" min={1} allowDecimal={false} value={options.maxTokens ?? ""} onChange={(value) => set({ maxTokens: value === "" ? null : Number(value) })} />
      <Switch label="Stream the answer" checked={options.stream} onChange={(event) => set({ stream: event.currentTarget.checked })} />
      <More label="Tools" open={options.tools !== ""}>
        <JsonInput label="Tools, as JSON" description="A list in OpenAI’s form. You answer the calls yourself." autosize minRows={4} maxRows={14} spellCheck={false} styles={MONO} value={options.tools} error={"fault" in tools ? tools.fault : undefined} onChange={(value) => set({ tools: value })} />
        <Group gap="xs">
          <Button size="compact-xs" variant="default" onClick={() => set({ tools: EXAMPLE_TOOL })}>Use an example</Button>
          <Button size="compact-xs" variant="subtle" disabled={options.tools === ""} onClick={() => set({ tools: "" })}>Remove tools</Button>
        </Group>
      </More>
      <More label="Answer as JSON" open={options.schema !== ""}>
        <JsonInput label="JSON schema of the answer" autosize minRows={4} maxRows={14} spellCheck={false} styles={MONO} value={options.schema} error={"fault" in schema ? schema.fault : undefined} onChange={(value) => set({ schema: value })} />
        <Group gap="xs">
          <Button size="compact-xs" variant="default" onClick={() => set({ schema: EXAMPLE_SCHEMA })}>Use an example</Button>
          <Button size="compact-xs" variant="subtle" disabled={options.schema === ""} onClick={() => set({ schema: "" })}>Remove the schema</Button>
        </Group>
      </More>
      <ShowAsApiCall method="POST" path={`/playground/${segment(client)}/v1/chat/completions`} body={body} />
    </Stack>
  );
  return (
    <Paper p="sm" className={classes.options} component="section" aria-label="Options">
      {wide ? fields : <More label="System prompt and options">{fields}</More>}
    </Paper>
  );
}
