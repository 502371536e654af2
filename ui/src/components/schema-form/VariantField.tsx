import { Group, SegmentedControl, Stack, Text } from "@mantine/core";
import { useState } from "react";

import { useSchemaForm, type FieldProps } from "./context";
import { Field } from "./Field";
import { blank, holds, titleOf, typesOf, jsonType, variantsOf, variantTitle } from "./schema";

/** A member that may have one of several shapes: pick the shape, then fill it. */
export function VariantField(props: FieldProps) {
  const { root, disabled } = useSchemaForm();
  const { schema, value, onChange, name } = props;
  const variants = variantsOf(schema, root);
  const held = variants.findIndex((one) => value !== undefined && holds(one, value, root));
  const typed = variants.findIndex((one) => value !== undefined && typesOf(one).includes(jsonType(value)));
  const [picked, setPicked] = useState(Math.max(held, typed, 0));
  const chosen = value === undefined ? picked : held >= 0 ? held : typed >= 0 ? typed : picked;
  const variant = variants[chosen] ?? {};
  const title = titleOf(name, schema);
  return (
    <div role="group" aria-label={title}>
      <Group justify="space-between" mb={4}>
        <Text size="sm" fw={500}>
          {title}
          {props.required ? <Text span c="red" aria-hidden> *</Text> : null}
        </Text>
        <SegmentedControl
          size="xs"
          aria-label={`Form of ${title}`}
          disabled={disabled}
          data={variants.map((one, index) => ({ value: String(index), label: variantTitle(one, index) }))}
          value={String(chosen)}
          onChange={(next) => {
            setPicked(Number(next));
            onChange(value === undefined ? undefined : blank(variants[Number(next)] ?? {}, root));
          }}
        />
      </Group>
      <Stack gap="xs">
        <Field key={chosen} {...props} schema={{ ...variant, title: variantTitle(variant, chosen), description: variant.description ?? schema.description }} />
      </Stack>
    </div>
  );
}
