import { Button, Group, PasswordInput, type PasswordInputProps } from "@mantine/core";

/** What a write says of a secret: undefined leaves it as it is, null removes it, a text replaces it. */
export type SecretChange = string | null | undefined;

interface Props extends Omit<PasswordInputProps, "value" | "onChange"> {
  /** Whether one is stored, and how it ends. */
  stored: boolean;
  hint?: string | null;
  value: SecretChange;
  onChange: (value: SecretChange) => void;
}

/** A secret that can be typed, kept or removed, and never read. */
export function SecretInput({ stored, hint, value, onChange, ...rest }: Props) {
  const placeholder = value === null ? "will be removed" : stored ? `unchanged${hint ? ` (${hint})` : ""}` : rest.placeholder;
  return (
    <Group align="flex-end" gap="xs" wrap="nowrap">
      <PasswordInput
        autoComplete="new-password"
        spellCheck={false}
        flex={1}
        {...rest}
        value={value ?? ""}
        placeholder={placeholder}
        onChange={(event) => onChange(event.currentTarget.value === "" ? undefined : event.currentTarget.value)}
      />
      {stored ? (
        <Button variant="default" disabled={rest.disabled} onClick={() => onChange(value === null ? undefined : null)}>
          {value === null ? "Keep" : "Remove"}
        </Button>
      ) : null}
    </Group>
  );
}
