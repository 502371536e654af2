// One member: the page's own field, a secret, or what its schema asks for.
import { useSchemaForm, type FieldProps } from "./context";
import { JsonField } from "./JsonField";
import { ListField, TagsField } from "./ListField";
import { MapField } from "./MapField";
import { ObjectField } from "./ObjectField";
import { BooleanField, ChoicesField, EnumField, NumberField, TextField } from "./scalars";
import { isStoredSecret, jsonType, kindOf, resolve, type FieldKind } from "./schema";
import { SecretField } from "./SecretField";
import { VariantField } from "./VariantField";

export function Field(given: FieldProps) {
  const { root, isSecret, override } = useSchemaForm();
  const props = { ...given, schema: resolve(given.schema, root) };
  const own = override(props);
  if (own !== undefined) return <>{own}</>;
  const kind = kindOf(props.schema, root);
  if (isStoredSecret(props.value) || ((kind === "text" || kind === "json") && isSecret(props.path) && holdsText(props.value))) {
    return <SecretField {...props} />;
  }
  return <Generated kind={shows(kind, props) ? kind : "json"} {...props} />;
}

function holdsText(value: FieldProps["value"]): boolean {
  return value === undefined || typeof value === "string";
}

function Generated({ kind, ...props }: FieldProps & { kind: FieldKind }) {
  switch (kind) {
    case "text":
      return <TextField {...props} />;
    case "enum":
      return <EnumField {...props} />;
    case "number":
      return <NumberField {...props} />;
    case "boolean":
      return <BooleanField {...props} />;
    case "choices":
      return <ChoicesField {...props} />;
    case "tags":
      return <TagsField {...props} />;
    case "list":
      return <ListField {...props} />;
    case "map":
      return <MapField {...props} />;
    case "object":
      return <ObjectField {...props} />;
    case "variant":
      return <VariantField {...props} />;
    case "json":
      return <JsonField {...props} />;
  }
}

/** Whether the field can show the value that is there: one of another type must not be lost by looking at it. */
function shows(kind: FieldKind, { value, schema }: FieldProps): boolean {
  if (value === undefined || kind === "variant" || kind === "json") return true;
  const type = jsonType(value);
  switch (kind) {
    case "text":
      return type === "string" || type === "integer";
    case "number":
      return type === "integer" || type === "number" || type === "string";
    case "boolean":
      return type === "boolean";
    case "enum":
      return type !== "object" && type !== "array";
    case "object":
    case "map":
      return type === "object" || (Array.isArray(value) && value.length === 0);
    case "tags":
      return Array.isArray(value) && value.every((one) => typeof one === "string" || typeof one === "number");
    case "choices":
      return Array.isArray(value) && value.every((one) => schema.items?.enum === undefined || typeof one !== "object");
    case "list":
      return Array.isArray(value);
  }
}
