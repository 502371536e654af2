import { Anchor } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router";

import { api, segment } from "../../api/client";
import { useMay } from "../../api/session";
import type { Provider } from "../../api/types";
import { PageHeader } from "../../components/PageHeader";
import { ErrorState, LoadingState, NoPermission } from "../../components/states";
import { ProviderForm } from "./ProviderForm";

export function ProviderPage() {
  const { id } = useParams();
  const mayWrite = useMay("admin");
  const { data, error, refetch } = useQuery({ queryKey: ["providers", id], queryFn: ({ signal }) => api.get<Provider>(`/providers/${segment(id ?? "")}`, undefined, signal), enabled: id !== undefined });
  if (id === undefined && !mayWrite) return <NoPermission needs="admin" />;
  return (
    <>
      <PageHeader title={id === undefined ? "Add a provider" : (data?.name ?? id)} back={<Anchor component={Link} to="/providers" fz="sm">Providers</Anchor>} />
      {error ? <ErrorState error={error} retry={() => void refetch()} /> : null}
      {id !== undefined && !data && !error ? <LoadingState /> : null}
      {id === undefined || data ? <ProviderForm key={id ?? "new"} stored={data ?? null} readOnly={!mayWrite} /> : null}
    </>
  );
}
