import { Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { api } from "../../api/client";
import type { Page, Provider } from "../../api/types";
import type { FieldProps } from "../../components/schema-form";

/** Picks one of the providers that are there. */
export function ProviderField({ value, onChange, required, disabled, error }: FieldProps & { disabled: boolean; error?: string }) {
  const { data } = useQuery({ queryKey: ["providers"], queryFn: ({ signal }) => api.get<Page<Provider>>("/providers", { limit: 500 }, signal) });
  const current = value === undefined || value === "" ? null : String(value);
  const ids = (data?.items ?? []).map((provider) => provider.id);
  return <Select label="Provider" withAsterisk={required} searchable disabled={disabled} error={error} data={current && !ids.includes(current) ? [...ids, current] : ids} value={current} placeholder={ids.length === 0 ? "Add a provider first" : "Choose"} onChange={(next) => onChange(next ?? undefined)} />;
}
