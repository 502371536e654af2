import { ActionIcon, Button, FileButton, Group, Paper, Text, Textarea } from "@mantine/core";
import { IconPhoto, IconPlayerStop, IconSend2, IconX } from "@tabler/icons-react";
import { useState } from "react";

import type { ContentPart } from "./chat";
import classes from "./playground.module.css";

interface Props {
  busy: boolean;
  initial: string;
  onSend: (content: string | ContentPart[]) => void;
  onStop: () => void;
}

/** Largest image that is sent, before encoding. */
const LARGEST = 8 * 1024 * 1024;

export function Composer({ busy, initial, onSend, onStop }: Props) {
  const [text, setText] = useState(initial);
  const [images, setImages] = useState<{ name: string; url: string }[]>([]);
  const [fault, setFault] = useState<string | null>(null);
  const ready = !busy && (text.trim() !== "" || images.length > 0);
  const send = () => {
    if (!ready) return;
    const parts: ContentPart[] = images.map(({ url }) => ({ type: "image_url", image_url: { url } }));
    onSend(parts.length === 0 ? text : [...(text.trim() === "" ? [] : [{ type: "text" as const, text }]), ...parts]);
    setText("");
    setImages([]);
  };
  const attach = async (files: File[]) => {
    setFault(null);
    for (const file of files) {
      if (!file.type.startsWith("image/")) setFault(`${file.name} is no image`);
      else if (file.size > LARGEST) setFault(`${file.name} is larger than 8 MiB`);
      else {
        const url = await dataUrl(file);
        setImages((all) => [...all, { name: file.name, url }]);
      }
    }
  };
  return (
    <Paper p="xs">
      {images.length > 0 ? (
        <Group gap="xs" mb="xs">
          {images.map((image, index) => (
            <span key={index} className={classes.thumb}>
              <img src={image.url} alt={image.name} />
              <ActionIcon size="xs" radius="xl" variant="filled" color="dark" aria-label={`Remove ${image.name}`} onClick={() => setImages((all) => all.filter((_, at) => at !== index))}>
                <IconX size={12} aria-hidden />
              </ActionIcon>
            </span>
          ))}
        </Group>
      ) : null}
      <Textarea
        aria-label="Message"
        placeholder="Ask something. Enter sends, Shift and Enter makes a new line."
        autosize
        minRows={2}
        maxRows={10}
        variant="unstyled"
        px="xs"
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
          event.preventDefault();
          send();
        }}
        onPaste={(event) => {
          const files = [...event.clipboardData.files];
          if (files.length > 0) void attach(files);
        }}
      />
      {fault ? <Text size="xs" c="red" role="alert">{fault}</Text> : null}
      <Group justify="space-between">
        <FileButton accept="image/*" multiple onChange={(files) => void attach(files)} inputProps={{ "aria-label": "Image files" }}>
          {(props) => (
            <ActionIcon {...props} variant="subtle" color="gray" size="lg" aria-label="Attach images">
              <IconPhoto size={18} aria-hidden />
            </ActionIcon>
          )}
        </FileButton>
        {busy ? (
          <Button size="xs" variant="default" leftSection={<IconPlayerStop size={14} aria-hidden />} onClick={onStop}>
            Stop
          </Button>
        ) : (
          <Button size="xs" leftSection={<IconSend2 size={14} aria-hidden />} disabled={!ready} onClick={send}>
            Send
          </Button>
        )}
      </Group>
    </Paper>
  );
}

function dataUrl(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error ?? new Error("the file cannot be read"));
    reader.readAsDataURL(file);
  });
}
