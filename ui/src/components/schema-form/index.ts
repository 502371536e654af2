export type { FieldProps } from "./context";
export * from "./schema";
export { SchemaForm, type SchemaFormProps } from "./SchemaForm";
