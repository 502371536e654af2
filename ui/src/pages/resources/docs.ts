// The documentation of the plugins, as it stands in the repository.
const pages = import.meta.glob<string>("../../../../docs/plugins/*.md", { query: "?raw", import: "default", eager: true });

const byName = new Map(Object.entries(pages).map(([path, text]) => [path.replace(/^.*\/|\.md$/g, ""), text]));

export function docsOf(plugin: string): string {
  return byName.get(plugin) ?? "There is no page about this plugin.";
}

/** The first words of a plugin's page below its title. */
export function summaryOfPlugin(plugin: string): string {
  const line = docsOf(plugin).split("\n").find((one) => one.trim() !== "" && !one.startsWith("#")) ?? "";
  return line.replace(/[`*]/g, "").replace(/\[([^\]]+)\]\([^)]+\)/g, "$1");
}
