// One visual language: water-blue accent, quiet surfaces, text that keeps its contrast in both schemes.
import { Badge, Button, createTheme, type CSSVariablesResolver, InputWrapper, type MantineColorsTuple, Paper, Table } from "@mantine/core";

const water: MantineColorsTuple = [
  "#e7f6f8", "#cfeaef", "#a2d5df", "#71bfcf", "#48abc0", "#2f9eb6", "#1f8aa3", "#0f7287", "#0b5d6f", "#064857",
];

/** Dark surfaces with a trace of the accent's hue. */
const dark: MantineColorsTuple = [
  "#dde1e4", "#b4bbc1", "#a6adb4", "#5c676f", "#3a444a", "#2c3439", "#21272b", "#1b2023", "#161a1d", "#111416",
];

export const theme = createTheme({
  primaryColor: "water",
  primaryShade: 7,
  colors: { water, dark },
  defaultRadius: "sm",
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace',
  headings: { fontWeight: "600", sizes: { h1: { fontSize: "1.45rem" }, h2: { fontSize: "1.1rem" }, h3: { fontSize: "1rem" } } },
  components: {
    // Words under a field, so that fields in a row stand on one line.
    InputWrapper: InputWrapper.extend({ defaultProps: { inputWrapperOrder: ["label", "input", "description", "error"] } }),
    Paper: Paper.extend({ defaultProps: { withBorder: true } }),
    Badge: Badge.extend({ defaultProps: { tt: "none", fw: 500, radius: "sm" } }),
    Button: Button.extend({ defaultProps: { fw: 500 } }),
    Table: Table.extend({ defaultProps: { verticalSpacing: "xs" } }),
  },
});

/** Text colours of Mantine that miss the 4.5:1 that WCAG AA asks for, replaced. */
export const resolver: CSSVariablesResolver = () => {
  const light: Record<string, string> = {
    "--mantine-color-dimmed": "#5c636a",
    "--mantine-color-placeholder": "#6c757d",
    "--mantine-color-error": "#c92a2a",
    "--mantine-color-body": "#ffffff",
    "--sluice-canvas": "#f5f7f8",
  };
  const dark: Record<string, string> = {
    "--mantine-color-dimmed": "#a6adb4",
    "--mantine-color-placeholder": "#8f969d",
    "--mantine-color-error": "#ff8787",
    "--mantine-color-text": "#dde1e4",
    "--mantine-color-body": "#1b2023",
    "--mantine-color-default": "#21272b",
    "--mantine-color-default-hover": "#293035",
    "--mantine-color-default-border": "#363f45",
    "--mantine-color-anchor": "#71bfcf",
    "--sluice-canvas": "#14181a",
  };
  const readable: Record<string, [string, string]> = {
    red: ["#b02525", "#ffa8a8"],
    teal: ["#076448", "#63e6be"],
    yellow: ["#7a4f00", "#ffe066"],
    orange: ["#a83a05", "#ffc078"],
    blue: ["#1457a0", "#a5d8ff"],
    grape: ["#862e9c", "#eebefa"],
    gray: ["#495057", "#ced4da"],
    water: ["#0b5d6f", "#a2d5df"],
  };
  for (const [name, [onLight, onDark]] of Object.entries(readable)) {
    for (const use of ["light-color", "text", "outline"]) {
      light[`--mantine-color-${name}-${use}`] = onLight;
      dark[`--mantine-color-${name}-${use}`] = onDark;
    }
  }
  return { variables: {}, light, dark };
};
