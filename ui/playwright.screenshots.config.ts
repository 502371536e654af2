import base from "./playwright.config";

export default { ...base, testDir: "screenshots", workers: 1, timeout: 240_000, use: { ...base.use, trace: "off" as const } };
