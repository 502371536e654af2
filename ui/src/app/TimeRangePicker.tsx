import { Button, Group, Popover, Stack, TextInput, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconCalendarTime } from "@tabler/icons-react";
import { useState } from "react";

import { formatDateTime } from "../components/format";
import classes from "./TimeRangePicker.module.css";
import { RANGES, useSetTimeRange, useTimeRange } from "./timeRange";

/** The one time range of all pages that show what happened. */
export function TimeRangePicker() {
  const range = useTimeRange();
  const setRange = useSetTimeRange();
  const [open, { close, toggle }] = useDisclosure(false);
  const [from, setFrom] = useState("");
  const [to, setTo] = useState("");
  const start = new Date(from).getTime();
  const end = new Date(to).getTime();
  const valid = start > 0 && end > start;
  const label = range.to_ms ? `${formatDateTime(range.from_ms)} – ${formatDateTime(range.to_ms)}` : range.label;
  return (
    <Popover opened={open} onChange={(next) => !next && close()} position="bottom-end" trapFocus returnFocus withinPortal>
      <Popover.Target>
        <Button variant="default" size="xs" h={34} onClick={toggle} leftSection={<IconCalendarTime size={16} aria-hidden />} aria-label={`Time range: ${label}`} className={classes.button}>
          <span className={classes.label}>{label}</span>
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap={4} w={240}>
          {RANGES.map((one) => (
            <UnstyledButton
              key={one.value}
              className={classes.option}
              data-active={range.name === one.value || undefined}
              aria-pressed={range.name === one.value}
              onClick={() => {
                setRange(one.value);
                close();
              }}
            >
              {one.label}
            </UnstyledButton>
          ))}
          <form
            onSubmit={(event) => {
              event.preventDefault();
              if (!valid) return;
              setRange("custom", start, end);
              close();
            }}
          >
            <Stack gap="xs" mt="xs">
              <TextInput size="xs" type="datetime-local" label="From" value={from} onChange={(event) => setFrom(event.currentTarget.value)} />
              <TextInput
                size="xs"
                type="datetime-local"
                label="To"
                value={to}
                error={from && to && !valid ? "must be after the start" : undefined}
                onChange={(event) => setTo(event.currentTarget.value)}
              />
              <Group justify="flex-end">
                <Button type="submit" size="xs" disabled={!valid}>
                  Show this range
                </Button>
              </Group>
            </Stack>
          </form>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
