"use strict";
// Text to words and back, as the model's own pipeline does it; DATA.text has its rules.

const DATA = JSON.parse(document.getElementById("data").textContent);
const RULES = DATA.text;
const UNK = 0, START = 1, END = 2, SPECIAL = ["<unk>", "<s>", "</s>"];
const WORDS = [...SPECIAL, ...DATA.words];
const IDS = new Map(DATA.words.map((word, place) => [word, place + SPECIAL.length]));
const LOWERED = new Set(RULES.lowered);

const compiled = (rules) => (rules ?? []).map(([source, flags, text]) => [new RegExp(source, flags), text]);
const applied = (rules, text) => rules.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), text);
const pieces = (text) => text.split(/\s+/u).filter(Boolean);
const isLetter = (character) => Boolean(character) && /^\p{L}/u.test(character);
const isAlphanumeric = (character) => Boolean(character) && /^[\p{L}\p{N}]/u.test(character);

const SPLIT = compiled(RULES.split), JOIN = compiled(RULES.join);

// NLTK's Treebank words

function splitTreebank(sentence) {
  const chunks = pieces(sentence);
  const [closing, ...others] = RULES.closing;
  const standIn = others.find((mark) => !sentence.includes(mark));
  if (!standIn || !chunks.includes(closing)) return pieces(applied(SPLIT, chunks.join(" ")));
  const marked = chunks.map((chunk) => (chunk === closing ? standIn : chunk)).join(" ");
  return pieces(applied(SPLIT, marked)).map((word) => (word === standIn ? closing : word));
}

const joinTreebank = (words) => applied(JOIN, withQuotes(withApostrophes(words)).join(" "));
const isClipped = (word) => new RegExp(`^(?:${RULES.clipped})$`, "iu").test(word);

/** Every ’ that is an apostrophe inside its word; the others close a quotation. */
function withApostrophes(words) {
  const joined = [];
  let isOpen = false, head = "";
  words.forEach((word, place) => {
    const next = words[place + 1] ?? "", last = joined.at(-1) ?? "";
    isOpen ||= word === "‘";
    if (word !== "’") {
      joined.push(head + word);
      head = "";
    } else if (isClipped(next)) head = word;
    else if (!(isLetter([...last].at(-1)) && isLetter(next))) {
      joined.push(word);
      isOpen = false;
    } else if (RULES.contracted.includes(next.toLowerCase()) || RULES.elided.includes(last.toLowerCase())) head = joined.pop() + word;
    else if (isOpen || last.endsWith("s")) {
      joined.push(word);
      isOpen = false;
    } else head = joined.pop() + word;
  });
  return joined;
}

/** Every opening ' at the head of the next word. */
function withQuotes(words) {
  const joined = [];
  let possessive = words.filter(isSingleQuote).length % 2 === 1, isOpen = false, head = "";
  words.forEach((word, place) => {
    if (isSingleQuote(word)) {
      if (possessive && /s$/i.test(joined.at(-1) ?? "")) possessive = false;
      else {
        isOpen = !isOpen;
        if (word === "'" && isOpen && (words[place + 1] ?? "'") !== "'") {
          head = word;
          return;
        }
      }
    }
    joined.push(head + word);
    head = "";
  });
  return joined;
}

function isSingleQuote(word) {
  const tail = word.slice(1);
  return word[0] === "'" && tail !== "'" && !RULES.contracted.includes(tail.toLowerCase()) && !isClipped(tail);
}

// Toktok's words, an apostrophe with what it cuts short

const PROTECTED = "\ue000";

function splitToktok(sentence) {
  const text = pieces(sentence).join(" ").replace(new RegExp(RULES.entity, "gu"), `&$1${PROTECTED}`);
  const tokens = pieces(applied(SPLIT, text)).map((token) => RULES.unescaped.reduce((all, [written, meant]) => all.replaceAll(written, meant), token));
  const leftOut = (from, to) => [...text.slice(from, to).matchAll(/\S+/gu)].map((found) => [from + found.index, from + found.index + found[0].length]);
  const places = [];
  let at = 0;
  for (const token of tokens) {
    const start = token.trim() ? text.indexOf(token, at) : -1;
    if (start < 0) continue;
    places.push(...leftOut(at, start));
    at = start + token.length;
    places.push([start, at]);
  }
  places.push(...leftOut(at, text.length));
  const joined = [];
  for (const [start, end] of places) {
    const elision = "'’".includes(text.slice(start, end)) && joined.at(-1)?.[1] === start && isLetter(text[start - 1]) && isLetter(text[end]);
    if (elision) joined.at(-1)[1] = end;
    else joined.push([start, end]);
  }
  const kept = [];
  for (let [start, end] of joined) {
    let word = writtenToktok(text, start, end);
    while (kept.at(-1)?.[1] === start && !touch(kept, word)) {
      start = kept.pop()[0];
      word = text.slice(start, end).replaceAll(PROTECTED, ";");
    }
    kept.push([start, end, word]);
  }
  return kept.map((entry) => entry[2]);
}

function writtenToktok(text, start, end) {
  const written = text.slice(start, end);
  if (written !== '"' && written !== "'") return written.replaceAll(PROTECTED, ";");
  const before = text[start - 1] ?? "", after = text[end] ?? "";
  const opens = after.trim() !== "" && (before.trim() === "" || RULES.openers.includes(before) || "'\"".includes(before));
  if (written === "'") return opens ? "`" : written;
  return opens ? "``" : "''";
}

function touch(kept, word) {
  const words = kept.map((entry) => entry[2]);
  return sides(words.at(-1), words, words.length - 1)[0] || sides(word, [...words, word], words.length)[1];
}

/** Whether a word sticks to the next one, and to the one before it. */
function sides(word, words, place) {
  if (word === "“") {
    const closes = words.slice(0, place).includes("„");
    return [!closes, closes];
  }
  const single = [...word].length === 1;
  if (word === "``" || word === "`" || (single && RULES.openers.includes(word))) return [true, false];
  if (word === "''" || (single && ("'’".includes(word) || RULES.closers.includes(word))) || /^[.!?…]+$/u.test(word)) return [false, true];
  return [word.length > 1 && "'’".includes(word.at(-1)) && isLetter(word.at(-2)), false];
}

function joinToktok(words) {
  let text = "", sticks = true;
  words.forEach((word, place) => {
    const [opens, closes] = sides(word, words, place);
    const shown = Object.hasOwn(RULES.shown, word) ? RULES.shown[word] : word;
    text += sticks || closes ? shown : ` ${shown}`;
    sticks = opens;
  });
  return text;
}

// Chinese: Python's dictionary does not fit a page, so the longest words of the vocabulary are taken

const LONGEST = 8;

function splitLongest(sentence) {
  const words = [];
  for (const chunk of sentence.match(/[\p{Script=Latin}\p{N}]+|\S/gu) ?? []) words.push(chunk);
  const joined = [];
  for (let at = 0; at < words.length; ) {
    let size = Math.min(LONGEST, words.length - at);
    while (size > 1 && !IDS.has(words.slice(at, at + size).join(""))) size -= 1;
    joined.push(words.slice(at, at + size).join(""));
    at += size;
  }
  return joined;
}

const isAscii = (character) => /^[A-Za-z0-9]$/.test(character ?? "");
const joinClosely = (words) => words.reduce((text, word) => text + (isAscii(text.at(-1)) && isAscii(word[0]) ? " " : "") + word, "");

// Bytes of UTF-8: a printable ASCII character is written as itself, any other byte as <0xe4>

const asByte = (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `<0x${byte.toString(16).padStart(2, "0")}>`);
const splitBytes = (sentence) => [...new TextEncoder().encode(pieces(sentence).join(" "))].map(asByte);
const bytesOf = (word) => (/^<0x[0-9a-f]{2}>$/.test(word) ? [parseInt(word.slice(3, 5), 16)] : [...new TextEncoder().encode(word)]);
const joinBytes = (words) => new TextDecoder("utf-8", {ignoreBOM: true}).decode(new Uint8Array(words.flatMap(bytesOf)));

const TOKENIZERS = {
  nltk: [splitTreebank, joinTreebank],
  toktok: [splitToktok, joinToktok],
  whitespace: [pieces, (words) => words.join(" ")],
  character: [(sentence) => [...pieces(sentence).join(" ")], (words) => words.join("")],
  byte: [splitBytes, joinBytes],
  jieba: [splitLongest, joinClosely],
};

const [tokenize, joinWords] = TOKENIZERS[RULES.tokenizer];

// Case

const uncapitalised = (word) => word.slice(0, 1).toLowerCase() + word.slice(1);
const capitalised = (word) => word.slice(0, 1).toUpperCase() + word.slice(1);

function firstWord(words) {
  for (let place = 0; place < words.length; place += 1) {
    if (isLetter(words[place])) return place;
    if ([...words[place]].some(isAlphanumeric)) return -1;
  }
  return -1;
}

/** The forms under which the vocabulary knows the words of a sentence. */
function normalized(words) {
  if (RULES.case === "lower") return words.map((word) => word.toLowerCase());
  const normal = [...words];
  const first = RULES.case === "true" ? firstWord(normal) : -1;
  if (first >= 0 && LOWERED.has(uncapitalised(normal[first]))) normal[first] = uncapitalised(normal[first]);
  return normal;
}

function detokenize(words) {
  const first = RULES.case === "true" ? firstWord(words) : -1;
  return joinWords(first < 0 ? words : words.map((word, place) => (place === first ? capitalised(word) : word)));
}

const folded = (word) => (RULES.case === "lower" ? word.toLowerCase() : word);
const meansUnknown = (word) => RULES.unk_token !== null && folded(word) === folded(RULES.unk_token);
const encode = (words) => normalized(words).map((form, place) => (meansUnknown(words[place]) ? UNK : IDS.get(form) ?? UNK));
const wordOf = (id) => (id === UNK && RULES.unk_token !== null ? RULES.unk_token : WORDS[id]);

/** The ids of what a person names: one, or several where the tokenizer cuts it; none if a part is unknown. */
function spelled(word) {
  if (meansUnknown(word)) return [UNK];
  const known = [folded(word), ...normalized([word])].find((form) => IDS.has(form));
  if (known !== undefined) return [IDS.get(known)];
  const ids = encode(tokenize(word));
  return ids.includes(UNK) ? [] : ids;
}
