import { Select } from "@mantine/core";

import type { FieldProps } from "../../components/schema-form";
import { titleOf } from "../../components/schema-form";
import { useResources } from "./queries";
import { nameOf } from "./summary";

/** Members that name another resource, and of which kind. */
export const REFERENCES: Record<string, string> = {
  upstream_id: "upstreams",
  service_id: "services",
  plugin_config_id: "plugin_configs",
  group_id: "consumer_groups",
};

/** Picks a resource that is there. */
export function ReferenceField({ name, schema, value, onChange, kind, readOnly, error, required }: FieldProps & { kind: string; readOnly: boolean; error?: string }) {
  const { data } = useResources(kind);
  const current = value === undefined ? null : String(value);
  const items = (data?.items ?? []).map((item) => {
    const label = nameOf(item.value as never);
    return { value: item.id, label: label && label !== item.id ? `${label} (${item.id})` : item.id };
  });
  return (
    <Select
      label={titleOf(name, schema)}
      data={current !== null && !items.some((item) => item.value === current) ? [...items, { value: current, label: `${current} (not there)` }] : items}
      value={current}
      onChange={(next) => onChange(next ?? undefined)}
      placeholder={data && items.length === 0 ? "There is none yet" : "None"}
      withAsterisk={required}
      searchable
      clearable
      disabled={readOnly}
      error={error}
    />
  );
}
