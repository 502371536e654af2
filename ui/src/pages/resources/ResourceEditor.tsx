import { Anchor } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router";

import { api } from "../../api/client";
import { useMay } from "../../api/session";
import type { Kind, ResourceItem } from "../../api/types";
import { PageHeader } from "../../components/PageHeader";
import { EmptyState, ErrorState, LoadingState, NoPermission } from "../../components/states";
import { kindTitle, resourcePath, useKinds, usePlugins } from "./queries";
import { ResourceForm } from "./ResourceForm";

/** One resource: a new one, or one that is there. */
export function ResourceEditor() {
  const { kind = "", id } = useParams();
  const mayWrite = useMay("admin");
  const kinds = useKinds();
  const plugins = usePlugins();
  const found = kinds.data?.find((one) => one.kind === kind);
  const stored = useQuery({
    queryKey: ["resources", kind, id],
    queryFn: ({ signal }) => api.get<ResourceItem>(resourcePath(kind, id ?? ""), undefined, signal),
    enabled: id !== undefined,
  });
  const error = kinds.error ?? plugins.error ?? stored.error;
  if (error) return <ErrorState error={error} retry={() => void stored.refetch()} />;
  if (!kinds.data || !plugins.data || (id !== undefined && !stored.data)) return <LoadingState rows={10} />;
  if (!found) return <EmptyState title="There is no such kind" />;
  if (id === undefined && !mayWrite) return <NoPermission needs="admin" />;
  return (
    <>
      <PageHeader
        title={id ?? `New: ${singular(found)}`}
        back={
          <Anchor component={Link} to={`/resources/${kind}`} fz="sm">
            {kindTitle(found)}
          </Anchor>
        }
      />
      <ResourceForm key={`${kind}/${id ?? ""}`} kind={found} plugins={plugins.data} stored={stored.data ?? null} readOnly={!mayWrite} />
    </>
  );
}

function singular(kind: Kind): string {
  return kindTitle(kind).replace(/s$/, "").toLowerCase();
}
