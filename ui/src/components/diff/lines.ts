// Differences between two texts, line by line.

export interface Line {
  kind: "same" | "added" | "removed";
  text: string;
  /** Line numbers from 1; null on the side that lacks the line. */
  before: number | null;
  after: number | null;
}

/** Cells of the table at most; beyond that the differing middle counts as replaced whole. */
const MOST_CELLS = 4_000_000;

export function diffLines(before: string, after: string): Line[] {
  const a = split(before);
  const b = split(after);
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const middle = changes(a.slice(start, a.length - end), b.slice(start, b.length - end));
  const lines: Line[] = [];
  let left = 1;
  let right = 1;
  const push = (kind: Line["kind"], text: string) => {
    lines.push({ kind, text, before: kind === "added" ? null : left, after: kind === "removed" ? null : right });
    if (kind !== "added") left++;
    if (kind !== "removed") right++;
  };
  for (const text of a.slice(0, start)) push("same", text);
  for (const [kind, text] of middle) push(kind, text);
  for (const text of a.slice(a.length - end)) push("same", text);
  return lines;
}

function split(text: string): string[] {
  if (text === "") return [];
  return text.replace(/\n$/, "").split("\n");
}

function changes(a: string[], b: string[]): [Line["kind"], string][] {
  const replaced: [Line["kind"], string][] = [
    ...a.map((text): [Line["kind"], string] => ["removed", text]),
    ...b.map((text): [Line["kind"], string] => ["added", text]),
  ];
  if (a.length === 0 || b.length === 0 || a.length * b.length > MOST_CELLS) return replaced;
  // lengths[i][j]: the longest common subsequence of a[i..] and b[j..].
  const width = b.length + 1;
  const lengths = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number) => lengths[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const found: [Line["kind"], string][] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const left = a[i];
    const right = b[j];
    if (left !== undefined && left === right) {
      found.push(["same", left]);
      i++;
      j++;
    } else if (left !== undefined && (right === undefined || at(i + 1, j) >= at(i, j + 1))) {
      found.push(["removed", left]);
      i++;
    } else if (right !== undefined) {
      found.push(["added", right]);
      j++;
    }
  }
  return found;
}

/** The lines with those far from any change folded into counts. */
export function fold(lines: Line[], context: number): (Line | { skipped: number })[] {
  const near = lines.map(() => false);
  lines.forEach((line, index) => {
    if (line.kind === "same") return;
    for (let at = Math.max(0, index - context); at <= Math.min(lines.length - 1, index + context); at++) near[at] = true;
  });
  const folded: (Line | { skipped: number })[] = [];
  lines.forEach((line, index) => {
    if (near[index]) {
      folded.push(line);
      return;
    }
    const last = folded.at(-1);
    if (last && "skipped" in last) last.skipped++;
    else folded.push({ skipped: 1 });
  });
  return folded;
}
