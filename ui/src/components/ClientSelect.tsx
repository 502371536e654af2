import { Select, type MantineSize } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "../api/client";
import type { ClientRow, Page } from "../api/types";

interface Props {
  label: string;
  value: string | null;
  onChange: (id: string | null) => void;
  placeholder?: string;
  description?: string;
  size?: MantineSize;
  clearable?: boolean;
  required?: boolean;
}

/** Picks a client by name; asks the server as one types, so that thousands of clients do not matter. */
export function ClientSelect({ value, onChange, clearable = true, required, ...rest }: Props) {
  const [text, setText] = useState("");
  const [search] = useDebouncedValue(text, 200);
  const { data } = useQuery({
    queryKey: ["clients", "select", search],
    queryFn: ({ signal }) => api.get<Page<ClientRow>>("/clients", { search, limit: 30 }, signal),
    placeholderData: keepPreviousData,
    staleTime: 30_000,
  });
  const items = (data?.items ?? []).map((client) => ({ value: client.id, label: client.name }));
  const options = value !== null && !items.some((one) => one.value === value) ? [...items, { value, label: value }] : items;
  return (
    <Select
      {...rest}
      data={options}
      value={value}
      onChange={onChange}
      searchable
      clearable={clearable}
      withAsterisk={required}
      onSearchChange={(next) => setText(options.some((one) => one.label === next) ? "" : next)}
      filter={({ options: all }) => all}
      nothingFoundMessage="No client has that name"
    />
  );
}
