// A text editor for JSON and YAML. The editor itself is a chunk of its own, loaded when the first one is shown.
import { Skeleton, useComputedColorScheme } from "@mantine/core";
import { lazy, Suspense } from "react";

export interface Mark {
  /** From 1. */
  line: number;
  message: string;
  severity?: "error" | "warning";
}

export interface CodeEditorProps {
  label: string;
  language: "json" | "yaml" | "text";
  value: string;
  onChange?: (value: string) => void;
  /** Lines with something wrong, as the server told. */
  marks?: Mark[];
  readOnly?: boolean;
  /** CSS length; the editor scrolls inside. */
  height?: string;
}

const Editor = lazy(() => import("./Editor"));

export function CodeEditor(props: CodeEditorProps) {
  const dark = useComputedColorScheme("light") === "dark";
  return (
    <Suspense fallback={<Skeleton height={props.height ?? "20rem"} />}>
      <Editor {...props} dark={dark} />
    </Suspense>
  );
}
