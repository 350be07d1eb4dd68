// Two texts side by side, words that differ marked (longest common subsequence).

import { h, verbatim } from "./dom.js";

const LONGEST = 1500; // words; beyond that the texts are shown unmarked, since the work grows with the square

export function sideBySide(left, right) {
  const [a, b] = [words(left), words(right)];
  if (a.length > LONGEST || b.length > LONGEST) return [verbatim(left), verbatim(right)];
  const lengths = table(a, b);
  const [removed, added] = [[], []];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      removed.push(a[i++]);
      added.push(b[j++]);
    } else if (j >= b.length || (i < a.length && lengths[i + 1][j] >= lengths[i][j + 1])) removed.push(h("del", {}, a[i++]));
    else added.push(h("ins", {}, b[j++]));
  }
  return [verbatim(removed), verbatim(added)];
}

const words = (text) => text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];

function table(a, b) {
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      lengths[i][j] = a[i] === b[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
  return lengths;
}
