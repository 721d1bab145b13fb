"use strict";
// Words on grounds that tell how much they surprised the model, and what was expected in their place.

const SCALE = JSON.parse(document.body.dataset.scale);
const NIGHT = matchMedia("(prefers-color-scheme: dark)");
const BITS = 1 / Math.LN2;

function ground(bits) {
  const [low, high] = NIGHT.matches ? SCALE.night : SCALE.day;
  const share = Math.min(1, Math.max(0, bits / SCALE.most));
  return low.map((value, place) => Math.round(value + share * (high[place] - value)));
}

function ink([red, green, blue]) {
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? "#111" : "#fff";
}

/** A word of a score: its ground, and a tip with what was expected. */
function heatWord(word, shown) {
  const bits = word.log_prob === null ? Infinity : -word.log_prob * BITS;
  const colour = ground(bits);
  const rank = SCALE.ranks.find(([most]) => word.rank !== null && word.rank <= most);
  const classes = ["w", word.oov ? "oov" : "", rank ? rank[1] : ""].join(" ").trim();
  const tip = make("span", {class: "tip", role: "tooltip"}, facts(word, bits));
  const element = make("span", {class: classes, tabindex: "0", "aria-label": `${shown}, ${bits.toFixed(1)} bits`}, shown, tip);
  element.style.background = `rgb(${colour})`;
  element.style.color = ink(colour);
  const place = () => {
    tip.style.left = "";
    const over = tip.getBoundingClientRect().right - document.documentElement.clientWidth + 8;
    if (over > 0 && getComputedStyle(tip).position === "absolute") tip.style.left = `${-over}px`;
  };
  element.addEventListener("pointerenter", place);
  element.addEventListener("focus", place);
  return element;
}

function facts(word, bits) {
  const lines = [`${bits.toFixed(2)} bits${word.oov ? " (as an unknown word)" : ""}`];
  if (word.rank !== null) lines.push(`rank ${word.rank.toLocaleString("en")}`);
  if (word.entropy !== null) lines.push(`entropy ${(word.entropy * BITS).toFixed(2)} bits`);
  if (word.expected.length) lines.push("expected:");
  for (const other of word.expected) lines.push(`${percent(other.probability).padStart(7)}  ${other.word}`);
  return lines.join("\n");
}

/** A paragraph for a scored sentence; ¶ is its end. */
function heatSentence(sentence) {
  const words = sentence.words.slice(0, -1);
  const parts = withWords(sentence.text, words.map((word) => word.word), (shown, number) => heatWord(words[number], shown));
  const paragraph = make("p", {}, ...parts, " ", heatWord(sentence.words.at(-1), "¶"));
  rove(paragraph, ".w");
  return paragraph;
}

function legend() {
  const stops = Array.from({length: 9}, (_, step) => `rgb(${ground((SCALE.most * step) / 8)})`);
  const scale = make("span", {class: "scale"});
  scale.style.background = `linear-gradient(to right, ${stops})`;
  const keys = [...SCALE.ranks.map(([most, name]) => [name, `top ${most.toLocaleString("en")}`]), ["", "beyond"]];
  return make(
    "p", {class: "legend"},
    make("span", {class: "bits"}, "surprisal: 0 bits ", scale, ` ${SCALE.most} bits and more`),
    make("span", {class: "ranks"}, "rank: ", ...keys.flatMap(([name, shown]) => [make("span", {class: `w key ${name}`}, shown), " "])),
    " · ", make("span", {class: "oov"}, "underlined"), ": unknown to the model",
  );
}

/** The words of two sentences, one under the other where they are the same: the longest common subsequence. */
function aligned(first, second) {
  const same = (a, b) => a.word.toLowerCase() === b.word.toLowerCase();
  const best = Array.from({length: first.length + 1}, () => new Array(second.length + 1).fill(0));
  for (let i = first.length - 1; i >= 0; i -= 1)
    for (let j = second.length - 1; j >= 0; j -= 1)
      best[i][j] = same(first[i], second[j]) ? best[i + 1][j + 1] + 1 : Math.max(best[i + 1][j], best[i][j + 1]);
  const rows = [];
  let [i, j] = [0, 0];
  while (i < first.length || j < second.length) {
    if (i < first.length && j < second.length && same(first[i], second[j])) rows.push([first[i++], second[j++]]);
    else if (j >= second.length || (i < first.length && best[i + 1][j] >= best[i][j + 1])) rows.push([first[i++], null]);
    else rows.push([null, second[j++]]);
  }
  return rows;
}

/** Word under word: the first's bits, the second's, and by how many the second is the more surprising. */
function heatComparison(first, second) {
  const cell = (word) => (word ? heatWord(word, word.word === "</s>" ? "¶" : word.word) : make("span", {class: "w"}, " "));
  const columns = aligned(first.words, second.words).map(([a, b]) => {
    const both = a && b && a.log_prob !== null && b.log_prob !== null;
    const difference = both ? ((a.log_prob - b.log_prob) * BITS).toFixed(1) : "";
    const shown = difference && !difference.startsWith("-") ? `+${difference}` : difference.replace("-", "−");
    return make("div", {}, cell(a), cell(b), make("span", {class: "difference"}, shown || " "));
  });
  const box = make("div", {class: "columns"}, ...columns);
  rove(box, ".w[aria-label]");
  return box;
}
