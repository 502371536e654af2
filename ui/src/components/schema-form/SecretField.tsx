import { Button, Group, PasswordInput } from "@mantine/core";
import { useState } from "react";

import type { FieldProps } from "./context";
import { isStoredSecret } from "./schema";
import { useCommon } from "./scalars";

/** A secret: shown while it is typed, never afterwards. What is stored stays until something is typed over it. */
export function SecretField(props: FieldProps) {
  const common = useCommon(props);
  const { value, onChange } = props;
  const [stored] = useState(isStoredSecret(value) ? value : undefined);
  const typed = typeof value === "string" && !isStoredSecret(value) ? value : "";
  const change = (next: string) => {
    if (next !== "") onChange(next);
    else onChange(stored);
  };
  return (
    <Group align="flex-end" gap="xs" wrap="nowrap">
      <PasswordInput
        {...common}
        flex={1}
        value={typed}
        placeholder={isStoredSecret(value) ? "unchanged" : stored ? "will be removed" : undefined}
        autoComplete="new-password"
        spellCheck={false}
        onChange={(event) => change(event.currentTarget.value)}
      />
      {stored && !props.required ? (
        <Button
          variant="default"
          disabled={common.disabled}
          onClick={() => onChange(value === undefined ? stored : undefined)}
        >
          {value === undefined ? "Keep" : "Remove"}
        </Button>
      ) : null}
    </Group>
  );
}
