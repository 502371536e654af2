import { TextInput, type TextInputProps } from "@mantine/core";

import classes from "./DateTimeInput.module.css";

interface Props extends Omit<TextInputProps, "value" | "onChange" | "type"> {
  /** Unix milliseconds. */
  value: number | null;
  onChange: (value: number | null) => void;
}

/** A moment in the browser's time zone; empty for never. */
export function DateTimeInput({ value, onChange, ...rest }: Props) {
  return (
    <TextInput
      {...rest}
      type="datetime-local"
      classNames={{ input: classes.input }}
      data-empty={value === null || undefined}
      value={value === null ? "" : local(value)}
      onChange={(event) => {
        const at = new Date(event.currentTarget.value).getTime();
        onChange(Number.isNaN(at) ? null : at);
      }}
    />
  );
}

function local(at: number): string {
  const date = new Date(at);
  return new Date(at - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
