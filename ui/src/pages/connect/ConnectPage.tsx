import { useSearchParams } from "react-router";

import { PageHeader } from "../../components/PageHeader";
import { ConnectPanel } from "./ConnectPanel";

/** From a client's key to a tool that works. */
export default function ConnectPage() {
  const [search, setSearch] = useSearchParams();
  const choose = (id: string | null) =>
    setSearch((old) => {
      const next = new URLSearchParams(old);
      if (id) next.set("client", id);
      else next.delete("client");
      return next;
    });
  return (
    <>
      <PageHeader title="Connect" description="What to paste where, so that a tool or a program calls through this gateway." />
      <ConnectPanel client={search.get("client")} onClient={choose} />
    </>
  );
}
