"use strict";
// The engine of a page by itself: it computes.

const EXPECTED = 10;
const PAUSE = 30; // milliseconds of work between looks at what the reader does

function pausing(signal) {
  let until = performance.now() + PAUSE;
  return async () => {
    if (performance.now() < until) return;
    await new Promise((resume) => setTimeout(resume));
    signal?.throwIfAborted();
    until = performance.now() + PAUSE;
  };
}

/** A text's sentences: a line each, or as the browser cuts paragraphs, if the model's corpus was running text. */
function sentencesOf(text, how) {
  const lines = text.split(/\r?\n/u);
  if (how === "line" || RULES.sentences === "line" || !Intl.Segmenter) return lines.map((line) => line.trim()).filter(Boolean);
  const segmenter = new Intl.Segmenter(undefined, {granularity: "sentence"});
  return lines.join("\n").split(/\n\s*\n/u)
    .flatMap((paragraph) => [...segmenter.segment(paragraph.replace(/\n/gu, " "))].map(({segment}) => segment.trim()))
    .filter(Boolean);
}

function scoredWord(word, id, logs) {
  let rank = 1, entropy = 0;
  for (const log of logs) {
    if (log > logs[id]) rank += 1;
    if (log > -Infinity) entropy -= Math.exp(log) * log;
  }
  const expected = likeliest(logs, EXPECTED).map((other) => ({word: WORDS[other], probability: Math.exp(logs[other])}));
  return {word, log_prob: logs[id], oov: id === UNK, rank, entropy, expected};
}

async function scoredSentence(text, pause) {
  const words = tokenize(text), ids = encode(words), scores = [];
  let {hidden, state} = step(START, zeroState());
  for (let place = 0; place <= ids.length; place += 1) {
    const id = ids[place] ?? END;
    scores.push(scoredWord(words[place] ?? SPECIAL[END], id, logProbs(hidden)));
    if (place < ids.length) ({hidden, state} = step(id, state));
    await pause();
  }
  const log_prob = scores.reduce((sum, word) => sum + word.log_prob, 0);
  return {
    text, log_prob, tokens: scores.length, oov: scores.filter((word) => word.oov).length,
    perplexity: Math.exp(-log_prob / scores.length), words: scores,
  };
}

/** What was typed stays as it was typed; the word is put behind it as the detokenizer would. */
function continued(text, words, word) {
  if (SPECIAL.includes(word)) return text || detokenize(words);
  const before = detokenize(words), after = detokenize([...words, word]);
  return text && after.startsWith(before) ? text.trimEnd() + after.slice(before.length) : after;
}

const engine = {
  async models() {
    return [{name: DATA.name, facts: DATA.facts, curve: DATA.curve, vocabulary_size: WORDS.length}];
  },

  async next({text = "", words = null, k = 10, complete = false}) {
    let beginning = "", given = words ?? tokenize(text);
    let logs = null, order = null;
    if (complete && words === null && /\S$/u.test(text)) {
      const [last] = text.match(/\S+$/u);
      const kept = text.slice(0, text.length - last.length);
      logs = logProbs(read(encode(tokenize(kept))).hidden);
      const start = last.toLowerCase();
      order = likeliest(logs, logs.length).filter((id) => id >= SPECIAL.length && WORDS[id].toLowerCase().startsWith(start));
      if (order.length) [text, given, beginning] = [kept, tokenize(kept), last];
    }
    if (!order?.length) {
      logs = logProbs(read(encode(given)).hidden);
      order = likeliest(logs, k);
    }
    const unknown = given.filter((word, place) => encode(given)[place] === UNK && !meansUnknown(word));
    return {
      unknown, beginning,
      words: order.slice(0, k).map((id) => ({
        word: WORDS[id], log_prob: logs[id], probability: Math.exp(logs[id]), ends: id === END,
        text: continued(text, given, WORDS[id]),
      })),
    };
  },

  async score({text, sentences = "line"}, signal) {
    const pause = pausing(signal), rows = [];
    for (const sentence of sentencesOf(text, sentences)) rows.push(await scoredSentence(sentence, pause));
    return {sentences: rows};
  },

  async sample(request, onRow, signal) {
    const seed = request.seed ?? crypto.getRandomValues(new Uint32Array(1))[0];
    const pause = pausing(signal);
    const defaults = {n: 1, prefix: "", temperature: 1, top_p: 1, max_length: 100, include: [], ban: []};
    for (const row of drawSentences({...defaults, ...request, seed})) {
      if (row) onRow(row);
      await pause();
    }
  },
};
