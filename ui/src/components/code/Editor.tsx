import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { json, jsonParseLinter } from "@codemirror/lang-json";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, foldGutter, foldKeymap, HighlightStyle, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { linter, lintGutter, lintKeymap, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "react";

import { cspNonce } from "../../nonce";
import type { CodeEditorProps, Mark } from "./CodeEditor";
import classes from "./Editor.module.css";

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--code-name)" },
  { tag: [tags.string, tags.content], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null, tags.keyword], color: "var(--code-number)" },
  { tag: tags.comment, color: "var(--code-comment)", fontStyle: "italic" },
  { tag: [tags.punctuation, tags.separator, tags.bracket], color: "var(--code-mark)" },
]);

export default function Editor({ label, language, value, onChange, marks, readOnly = false, height = "20rem", dark }: CodeEditorProps & { dark: boolean }) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const changed = useRef(onChange);
  changed.current = onChange;
  const settings = useRef(new Compartment());

  useEffect(() => {
    if (!host.current) return;
    const made = new EditorView({
      parent: host.current,
      state: EditorState.create({ doc: value, extensions: [base(changed), settings.current.of([])] }),
    });
    view.current = made;
    return () => {
      made.destroy();
      view.current = null;
    };
    // The editor is made once; what changes later is sent to it below.
  }, []);

  useEffect(() => {
    view.current?.dispatch({ effects: settings.current.reconfigure(configured(label, language, readOnly, dark)) });
  }, [label, language, readOnly, dark]);

  useEffect(() => {
    const editor = view.current;
    if (!editor || editor.state.doc.toString() === value) return;
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
  }, [value]);

  useEffect(() => {
    const editor = view.current;
    if (!editor || marks === undefined) return;
    editor.dispatch(setDiagnostics(editor.state, marks.map((mark) => diagnostic(editor.state, mark))));
  }, [marks]);

  return <div ref={host} className={classes.editor} style={{ height }} />;
}

function base(changed: { current: CodeEditorProps["onChange"] }): Extension {
  return [
    EditorView.cspNonce.of(cspNonce()),
    lineNumbers(),
    foldGutter(),
    history(),
    drawSelection(),
    indentOnInput(),
    bracketMatching(),
    highlightActiveLine(),
    highlightSelectionMatches(),
    lintGutter(),
    syntaxHighlighting(colours),
    EditorView.lineWrapping,
    // Escape and then Tab leaves the editor, so that the keyboard is not trapped.
    keymap.of([...defaultKeymap, ...historyKeymap, ...searchKeymap, ...foldKeymap, ...lintKeymap, indentWithTab]),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) changed.current?.(update.state.doc.toString());
    }),
  ];
}

function configured(label: string, language: CodeEditorProps["language"], readOnly: boolean, dark: boolean): Extension {
  return [
    EditorState.readOnly.of(readOnly),
    EditorView.theme({}, { dark }),
    EditorView.contentAttributes.of({ "aria-label": label, ...(readOnly ? { "aria-readonly": "true" } : {}) }),
    language === "json" ? [json(), readOnly ? [] : linter(lintJson)] : [],
    language === "yaml" ? yaml() : [],
  ];
}

function lintJson(view: EditorView): Diagnostic[] {
  return view.state.doc.toString().trim() === "" ? [] : jsonParseLinter()(view);
}

function diagnostic(state: EditorState, mark: Mark): Diagnostic {
  const line = state.doc.line(Math.min(Math.max(mark.line, 1), state.doc.lines));
  return { from: line.from, to: line.to, severity: mark.severity ?? "error", message: mark.message };
}
