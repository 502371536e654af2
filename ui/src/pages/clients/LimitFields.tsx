import { NumberInput, Stack, Text, TextInput } from "@mantine/core";

import type { ClientLimits } from "../../api/types";
import { limitTitle } from "../../components/LimitBar";
import classes from "./clients.module.css";

type Name = Exclude<keyof ClientLimits, "per_model" | "time_zone">;

const GROUPS: { title: string; names: Name[] }[] = [
  { title: "Requests", names: ["requests_per_minute", "requests_per_hour", "requests_per_day", "concurrency"] },
  { title: "Tokens", names: ["tokens_per_minute", "input_tokens_per_minute", "output_tokens_per_minute", "tokens_per_day", "input_tokens_per_day", "output_tokens_per_day", "tokens_per_month", "tokens_total"] },
  { title: "Money, in US dollars", names: ["budget_micro_usd_per_day", "budget_micro_usd_per_month", "budget_micro_usd_total"] },
  { title: "One request", names: ["max_input_tokens", "max_output_tokens"] },
];

/** Numbers of a set of limits; empty is without limit. Money is edited in dollars and kept in micro-dollars. */
export function LimitFields({ value, onChange, errors }: { value: ClientLimits; onChange: (value: ClientLimits) => void; errors: Record<string, string> }) {
  return (
    <Stack>
      {GROUPS.map((group) => (
        <div key={group.title} role="group" aria-label={group.title}>
          <Text size="xs" fw={600} c="dimmed" mb={4}>
            {group.title}
          </Text>
          <div className={classes.grid}>
            {group.names.map((name) => {
              const money = name.startsWith("budget");
              const current = value[name];
              return (
                <NumberInput
                  key={name}
                  label={limitTitle(name)}
                  placeholder="no limit"
                  min={0}
                  allowNegative={false}
                  allowDecimal={money}
                  decimalScale={money ? 6 : 0}
                  prefix={money ? "$" : undefined}
                  thousandSeparator=" "
                  hideControls
                  value={current ? (money ? current / 1e6 : current) : ""}
                  error={errors[`limits.${name}`]}
                  onChange={(next) => onChange({ ...value, [name]: next === "" ? 0 : money ? Math.round(Number(next) * 1e6) : Number(next) })}
                />
              );
            })}
          </div>
        </div>
      ))}
      <TextInput maw={260} label="Time zone of days and months" placeholder="UTC" value={value.time_zone ?? ""} error={errors["limits.time_zone"]} onChange={(event) => onChange({ ...value, time_zone: event.currentTarget.value || undefined })} />
    </Stack>
  );
}
