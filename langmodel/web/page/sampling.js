"use strict";
// Sentences drawn word by word; the same seed draws the same ones.

const TRIES_PER_SENTENCE = 1000;
const CLOSERS = new Map(DATA.balance.closers);

/** Numbers in [0, 1): sfc32, seeded through splitmix32. */
function generator(seed, stream) {
  let mix = (seed ^ Math.imul(stream + 1, 0x9e3779b9)) >>> 0;
  const seeded = () => {
    mix = (mix + 0x9e3779b9) >>> 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  let [a, b, c, counter] = [seeded(), seeded(), seeded(), 1];
  const next = () => {
    const sum = (((a + b) >>> 0) + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) >>> 0;
    c = (((c << 21) | (c >>> 11)) + sum) >>> 0;
    return sum;
  };
  for (let turn = 0; turn < 12; turn += 1) next();
  return () => (next() * 2 ** 21 + (next() >>> 11)) * 2 ** -53;
}

/** The closing ids that are owed after one more id. */
function follow(owed, id) {
  if (owed.includes(id)) while (owed.pop() !== id);
  else if (CLOSERS.has(id)) owed.push(CLOSERS.get(id));
}

/** Marks that must not come next: they close nothing, open again, or leave no room to close; and END while one is owed. */
function ruledOut(owed, room) {
  const next = owed.at(-1) ?? UNK;
  const out = DATA.balance.strict.filter((id) => id !== next);
  for (const [opener, closer] of CLOSERS) {
    const again = owed.includes(closer) && opener !== closer;
    if (again || !(room >= owed.length + 2 || owed.includes(opener))) out.push(opener);
  }
  return owed.length ? [...out, END] : out;
}

/** One id: words ruled out, temperature, nucleus, then a draw. */
function drawn(logs, banned, {temperature, top_p: nucleus}, random) {
  const allowed = Float64Array.from(logs);
  for (const id of banned) allowed[id] = -Infinity;
  let most = -Infinity;
  for (const log of allowed) if (log > most) most = log;
  if (most === -Infinity) throw new Error("Every word is ruled out. Leave out fewer words.");
  if (temperature <= 1e-6) return allowed.indexOf(most);
  const shares = allowed.map((log) => Math.exp((log - most) / temperature));
  let sum = 0;
  for (const share of shares) sum += share;
  let ids = null;
  if (nucleus < 1) {
    ids = [];
    let reached = 0;
    for (const id of likeliest(shares, shares.length)) {
      if (reached >= nucleus * sum) break;
      ids.push(id);
      reached += shares[id];
    }
    sum = reached;
  }
  let aim = random() * sum, last = 0;
  for (const id of ids ?? shares.keys()) {
    if (!shares[id]) continue;
    last = id;
    aim -= shares[id];
    if (aim < 0) return id;
  }
  return last;
}

/** One sentence: its ids with the prefix, its log-probability, and whether it ended by itself. */
function drawSentence(prefix, banned, request, random) {
  const ids = [...prefix], owed = [];
  for (const id of prefix) follow(owed, id);
  let {hidden, state} = read(prefix);
  let log_prob = 0;
  while (ids.length < request.max_length) {
    const logs = logProbs(hidden);
    const room = request.max_length - ids.length;
    const forced = owed.length && room <= owed.length ? owed.at(-1) : null;
    const out = [START, UNK, ...banned, ...(ids.length ? [] : [END]), ...ruledOut(owed, room)];
    const id = forced ?? drawn(logs, out, request, random);
    log_prob += logs[id];
    if (id === END) return {ids, log_prob, finished: true};
    ids.push(id);
    follow(owed, id);
    ({hidden, state} = step(id, state));
  }
  return {ids, log_prob, finished: false};
}

const standsIn = (ids, part) => ids.some((_, at) => part.every((id, place) => ids[at + place] === id));

/** Yields sentences that have and lack what is asked for, or null between tries. */
function* drawSentences(request) {
  const words = tokenize(request.prefix), prefix = encode(words);
  if (prefix.length >= request.max_length) throw new Error(`The beginning has ${prefix.length} words; allow more than ${request.max_length}.`);
  const include = request.include.map((word) => {
    const ids = spelled(word);
    if (!ids.length) throw new Error(`“${word}” is unknown to the model, so no sentence can have it.`);
    return ids;
  });
  const avoid = request.ban.map(spelled);
  const banned = avoid.filter((ids) => ids.length === 1).flat();
  const parts = avoid.filter((ids) => ids.length > 1);
  let kept = 0;
  for (let tries = 0; kept < request.n; tries += 1) {
    if (tries >= TRIES_PER_SENTENCE * request.n) throw new Error(`${kept} of ${tries} sentences had the words; ask for likelier ones.`);
    const {ids, log_prob, finished} = drawSentence(prefix, banned, request, generator(request.seed, tries));
    const fits = include.every((part) => standsIn(ids, part)) && !parts.some((part) => standsIn(ids.slice(prefix.length), part));
    if (!fits) {
      yield null;
      continue;
    }
    kept += 1;
    const all = [...normalized(words), ...ids.slice(prefix.length).map(wordOf)];
    yield {text: detokenize(all), words: all, log_prob, finished};
  }
}
