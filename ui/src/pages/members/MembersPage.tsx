import { Tabs } from "@mantine/core";

import { PageHeader } from "../../components/PageHeader";
import { Members } from "./Members";
import { Password } from "./Password";
import { Sessions } from "./Sessions";
import { Tokens } from "./Tokens";

/** Who may see and change what: people, tokens for programs, and who is signed in. */
export default function MembersPage() {
  return (
    <>
      <PageHeader title="Members and roles" description="Owners do everything; admins change the configuration; viewers look." />
      <Tabs defaultValue="members" keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="members">Members</Tabs.Tab>
          <Tabs.Tab value="tokens">Tokens</Tabs.Tab>
          <Tabs.Tab value="sessions">Sessions</Tabs.Tab>
          <Tabs.Tab value="password">My password</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="members"><Members /></Tabs.Panel>
        <Tabs.Panel value="tokens"><Tokens /></Tabs.Panel>
        <Tabs.Panel value="sessions"><Sessions /></Tabs.Panel>
        <Tabs.Panel value="password"><Password /></Tabs.Panel>
      </Tabs>
    </>
  );
}
