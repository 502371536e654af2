import { JsonInput } from "@mantine/core";
import { useState } from "react";

import type { FieldProps } from "./context";
import { equal, type Json } from "./schema";
import { useCommon } from "./scalars";

/** A member that no other field can show: edited as JSON. */
export function JsonField(props: FieldProps) {
  const common = useCommon(props);
  const { value, onChange } = props;
  const [text, setText] = useState(() => print(value));
  const [seen, setSeen] = useState(value);
  const [broken, setBroken] = useState(false);
  // A value that came from elsewhere replaces the text; the one that this field made does not.
  if (!equal(seen, value)) {
    setSeen(value);
    setText(print(value));
    setBroken(false);
  }
  const change = (next: string) => {
    setText(next);
    if (next.trim() === "") {
      setBroken(false);
      setSeen(undefined);
      onChange(undefined);
      return;
    }
    try {
      const parsed = JSON.parse(next) as Json;
      setBroken(false);
      setSeen(parsed);
      onChange(parsed);
    } catch {
      setBroken(true);
    }
  };
  return (
    <JsonInput
      {...common}
      description={common.description ?? "JSON"}
      error={broken ? "This is not JSON yet; the last valid value is kept" : common.error}
      value={text}
      autosize
      minRows={2}
      maxRows={16}
      spellCheck={false}
      styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: "var(--mantine-font-size-xs)" } }}
      onChange={change}
    />
  );
}

function print(value: Json | undefined): string {
  return value === undefined ? "" : JSON.stringify(value, null, 2);
}
