import { Text, Tooltip } from "@mantine/core";

import { formatMoney } from "./format";

/** A sum of money. Unpriced is a state of its own, not a zero. */
export function Cost({ micro, unpriced }: { micro: number | null; unpriced?: boolean }) {
  if (micro === null && !unpriced) return <>–</>;
  if (unpriced || micro === null) {
    return (
      <Tooltip label="No price is known for this model; set one under Models">
        <Text span fz="inherit" c="dimmed" fs="italic">
          unpriced
        </Text>
      </Tooltip>
    );
  }
  return <>{formatMoney(micro)}</>;
}
