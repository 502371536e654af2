import { Button, Fieldset, Group, NumberInput } from "@mantine/core";

import { isObject, type FieldProps, type JsonObject } from "../../components/schema-form";
import classes from "../clients/clients.module.css";
import { RATES } from "./model";

/** A price of one's own, edited in dollars per million tokens and kept in micro-dollars. */
export function PriceFields({ value, onChange, disabled }: FieldProps & { disabled: boolean }) {
  const prices: JsonObject = isObject(value) ? value : {};
  const rates: JsonObject = isObject(prices.rates) ? prices.rates : {};
  if (value === undefined) return <Button variant="default" size="xs" disabled={disabled} onClick={() => onChange({ rates: { input: 0, output: 0 } })}>Set a price of your own</Button>;
  const set = (name: string, next: number | string) => {
    const { [name]: _old, ...rest } = rates;
    onChange({ ...prices, rates: next === "" ? rest : { ...rest, [name]: Math.round(Number(next) * 1e6) } });
  };
  return (
    <Fieldset legend="Price, in dollars per million tokens" disabled={disabled}>
      <div className={classes.grid}>
        {RATES.map(({ name, label }) => (
          <NumberInput key={name} label={label} withAsterisk={name === "input" || name === "output"} prefix="$" min={0} decimalScale={6} hideControls placeholder="as input or output" value={typeof rates[name] === "number" ? rates[name] / 1e6 : ""} onChange={(next) => set(name, next)} />
        ))}
      </div>
      <Group mt="sm">
        <Button variant="subtle" color="red" size="compact-xs" onClick={() => onChange(undefined)}>Remove this price</Button>
      </Group>
    </Fieldset>
  );
}
