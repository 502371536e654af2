// What a page shows while it has nothing to show: waiting, empty, failed, not allowed.
import { Alert, Button, Center, Group, Skeleton, Stack, Text, Title } from "@mantine/core";
import { IconAlertTriangle, IconLock } from "@tabler/icons-react";
import type { ReactNode } from "react";

import { ApiFailure } from "../api/client";
import type { Role } from "../api/types";

export function LoadingState({ rows = 6 }: { rows?: number }) {
  return (
    <Stack gap="sm" role="status" aria-label="Loading" aria-busy>
      {Array.from({ length: rows }, (_, index) => (
        <Skeleton key={index} height={index === 0 ? 32 : 22} width={index === 0 ? "40%" : `${96 - index * 4}%`} />
      ))}
    </Stack>
  );
}

export function EmptyState({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <Center py="xl" px="md">
      <Stack align="center" gap="xs" maw={460} ta="center">
        <Title order={2} size="h3">
          {title}
        </Title>
        {children ? (
          <Text size="sm" c="dimmed" component="div">
            {children}
          </Text>
        ) : null}
        {action ? <Group mt="xs">{action}</Group> : null}
      </Stack>
    </Center>
  );
}

export function ErrorState({ error, retry }: { error: unknown; retry?: () => void }) {
  if (error instanceof ApiFailure && error.status === 403) return <NoPermission />;
  return (
    <Alert color="red" variant="light" icon={<IconAlertTriangle aria-hidden />} title={titleOf(error)} role="alert">
      <Stack gap="xs" align="flex-start">
        <Text size="sm">{messageOf(error)}</Text>
        {retry ? (
          <Button size="xs" variant="default" onClick={retry}>
            Try again
          </Button>
        ) : null}
      </Stack>
    </Alert>
  );
}

function titleOf(error: unknown): string {
  if (!(error instanceof ApiFailure)) return "Something went wrong in this page";
  if (error.status === 0) return "No answer";
  if (error.status === 404) return "Not found";
  return error.status >= 500 ? "The gateway could not do this" : "The gateway refused this";
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const NEEDS: Record<Role, string> = { owner: "an owner", admin: "an admin", viewer: "a member", holder: "a key holder" };

export function NoPermission({ needs }: { needs?: Role }) {
  return (
    <Center py="xl">
      <Stack align="center" gap="xs" maw={460} ta="center">
        <IconLock size={32} stroke={1.4} aria-hidden />
        <Title order={2} size="h3">
          Your role does not reach this
        </Title>
        <Text size="sm" c="dimmed">
          {needs ? `This page is for ${NEEDS[needs]} or above.` : "It takes a higher role."} An owner can change roles under Members and roles.
        </Text>
      </Stack>
    </Center>
  );
}
