"use strict";
// The panels of the page. What they ask is answered by `engine`: a server, or the page itself.

const byId = (id) => document.getElementById(id);
const chosen = () => byId("model").value;
const listed = (text) => text.split(",").map((word) => word.trim()).filter(Boolean);

function tell(problem) {
  if (problem?.name === "AbortError") return;
  byId("problem").hidden = !problem;
  byId("problem").textContent = problem ? problem.message : "";
}

/** Runs what a person asked for; a later request of the same kind ends the earlier one. */
function asking(work) {
  let running = null;
  return async (...values) => {
    running?.abort();
    const mine = (running = new AbortController());
    tell(null);
    try {
      await work(mine.signal, ...values);
    } catch (problem) {
      tell(problem);
    } finally {
      if (running === mine) running = null;
    }
  };
}

// Tabs

const tabs = [...document.querySelectorAll("[role=tab]")];

function open(tab) {
  for (const other of tabs) {
    other.setAttribute("aria-selected", String(other === tab));
    other.setAttribute("tabindex", other === tab ? "0" : "-1");
    byId(other.getAttribute("aria-controls")).hidden = other !== tab;
  }
}

tabs.forEach((tab, place) => {
  tab.addEventListener("click", () => open(tab));
  tab.addEventListener("keydown", (event) => {
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (!step) return;
    const next = tabs[(place + step + tabs.length) % tabs.length];
    open(next);
    next.focus();
  });
});

// Write

for (const name of ["temperature", "top-p"]) {
  const show = () => { byId(`${name}-shown`).value = byId(name).value; };
  byId(name).addEventListener("input", show);
  show();
}

let stopWriting = () => {};

const write = asking(async (signal) => {
  const list = byId("drawn");
  list.replaceChildren();
  const stop = new AbortController();
  signal.addEventListener("abort", () => stop.abort());
  stopWriting = () => stop.abort();
  byId("stop").hidden = false;
  const request = {
    model: chosen(),
    prefix: byId("prefix").value.trim(),
    temperature: byId("temperature").valueAsNumber,
    top_p: byId("top-p").valueAsNumber,
    n: byId("n").valueAsNumber || 1,
    max_length: byId("max-length").valueAsNumber || 60,
    include: listed(byId("include").value),
    ban: listed(byId("ban").value),
  };
  if (byId("seed").value) request.seed = byId("seed").valueAsNumber;
  try {
    await engine.sample(request, (row) => list.append(drawnSentence(row)), stop.signal);
  } finally {
    byId("stop").hidden = true;
    byId("write-hint").hidden = !list.childElementCount;
  }
});

/** A drawn sentence whose words can be asked for what else could have come. */
function drawnSentence(row) {
  const parts = withWords(row.text, row.words, (shown, number) =>
    make("button", {type: "button", class: "word", "aria-expanded": "false",
      onclick: (event) => alternatives(event.currentTarget, row.words, number)}, shown));
  const item = make("li", {}, ...parts, row.finished ? "" : " …");
  rove(item, ".word");
  return item;
}

const alternatives = asking(async (signal, button, words, number) => {
  const item = button.closest("li");
  const wasOpen = button.getAttribute("aria-expanded") === "true";
  item.querySelector(".alternatives")?.remove();
  item.querySelectorAll(".word").forEach((word) => word.setAttribute("aria-expanded", "false"));
  if (wasOpen) return;
  const found = await engine.next({model: chosen(), words: words.slice(0, number), k: 12}, signal);
  const others = found.words.filter((other) => !other.ends && other.word !== "<unk>").map((other) =>
    make("button", {type: "button", onclick: () => goOn(other.text)}, other.word, " ", make("span", {class: "share"}, percent(other.probability))));
  button.setAttribute("aria-expanded", "true");
  item.append(make("div", {class: "alternatives"},
    make("p", {}, `In place of “${button.textContent}”. Choose a word to go on from there.`), ...others));
});

function goOn(text) {
  byId("prefix").value = text;
  write();
  byId("prefix").focus();
}

byId("write-form").addEventListener("submit", (event) => { event.preventDefault(); write(); });
byId("stop").addEventListener("click", () => stopWriting());

// Next word

const suggest = asking(async (signal) => {
  const text = byId("typed").value;
  const found = await engine.next({model: chosen(), text, k: 10, complete: true}, signal);
  const most = found.words[0]?.probability || 1;
  byId("unknown").textContent = found.unknown.length ? `Unknown to the model: ${found.unknown.join(", ")}` : "";
  byId("likeliest").replaceChildren(...found.words.map((word) => {
    const bar = make("span", {class: "bar"});
    bar.style.width = `${(100 * word.probability) / most}%`;
    const shown = word.ends ? "(end of the sentence)" : word.word === "<unk>" ? "(a word it does not know)" : word.word;
    const take = () => { accept(word); byId("typed").focus(); };
    return make("li", {}, make("button", {type: "button", ...(canFollow(word) ? {onclick: take} : {disabled: ""})},
      make("span", {}, shown), make("span", {class: "share"}, percent(word.probability)), bar));
  }));
  firstSuggestion = found.words.find(canFollow) ?? null;
});

let firstSuggestion = null;
let leaving = false;

const canFollow = (word) => !word.ends && word.word !== "<unk>";

function accept(word) {
  byId("typed").value = `${word.text} `;
  firstSuggestion = null;
  suggest();
}

byId("typed").addEventListener("input", () => suggest());
byId("typed").addEventListener("keydown", (event) => {
  if (event.key === "Tab" && !event.shiftKey && !leaving && firstSuggestion) {
    event.preventDefault();
    accept(firstSuggestion);
  }
  leaving = event.key === "Escape";
});

// Judge

const judge = asking(async (signal) => {
  const text = byId("judged").value;
  const request = {model: chosen(), text, sentences: byId("by-line").checked ? "line" : "own"};
  const {sentences} = await engine.score(request, signal);
  const map = make("div", {class: "lm"}, legend());
  for (const sentence of sentences) map.append(heatSentence(sentence), make("p", {class: "total"}, total(sentence)));
  if (sentences.length > 1) map.append(make("p", {class: "total"}, `In all: ${total(joined(sentences))}`));
  const by = (name, shown, on) => make("label", {class: "inline"},
    make("input", {type: "radio", name: "by", ...(on ? {checked: ""} : {}), onchange: () => map.classList.toggle("by-rank", name === "rank")}), ` ${shown}`);
  byId("judgement").replaceChildren(...(sentences.length
    ? [by("bits", "by surprisal", true), by("rank", "by rank", false), map] : [make("p", {}, "No words to judge.")]));
});

function joined(sentences) {
  const sum = (name) => sentences.reduce((all, sentence) => all + (sentence[name] ?? -Infinity), 0);
  return {log_prob: sum("log_prob"), tokens: sum("tokens"), oov: sum("oov")};
}

function total({log_prob, tokens, oov}) {
  if (!Number.isFinite(log_prob)) return `impossible for this model (log-probability −∞), ${tokens} tokens, ${oov} unknown`;
  const perplexity = Math.exp(-log_prob / tokens);
  const shown = perplexity < 1e6 ? perplexity.toLocaleString("en", {maximumFractionDigits: 2}) : perplexity.toExponential(2);
  return `perplexity ${shown}, log-probability ${log_prob.toFixed(3)} (natural), ${tokens} tokens, ${oov} unknown`;
}

byId("judge-form").addEventListener("submit", (event) => { event.preventDefault(); judge(); });

// Compare

const compare = asking(async (signal) => {
  const models = document.querySelector("[name=what]:checked").value === "models";
  const text = byId("first-text").value;
  const asked = [
    {model: chosen(), text},
    models ? {model: byId("second-model").value, text} : {model: chosen(), text: byId("second-text").value},
  ];
  const [first, second] = (await Promise.all(asked.map((request) => engine.score({...request, sentences: "line"}, signal))))
    .map((answer) => answer.sentences[0]);
  if (!first || !second) throw new Error("Give both: a text to compare, and what to compare it with.");
  const difference = ((second.log_prob ?? -Infinity) - (first.log_prob ?? -Infinity)) / Math.LN2;
  byId("comparison").replaceChildren(
    make("div", {class: "lm"}, legend(), heatComparison(first, second)),
    make("p", {}, `First: ${total(first)}`), make("p", {}, `Second: ${total(second)}`),
    make("p", {}, `The ${difference > 0 ? "second" : "first"} is likelier by ${Math.abs(difference).toFixed(2)} bits. `
      + "Under each word: by how many bits it is less expected in the second."),
  );
});

for (const radio of document.querySelectorAll("[name=what]"))
  radio.addEventListener("change", () => {
    const models = radio.value === "models";
    byId("second-text-label").hidden = models;
    byId("second-model-label").hidden = !models;
  });
byId("compare-form").addEventListener("submit", (event) => { event.preventDefault(); compare(); });

// Models, and what each is

let models = [];

function about() {
  const model = models.find((model) => model.name === chosen());
  const facts = model.facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]);
  const curve = model.curve ? [make("h2", {}, "How it learned"), make("img", {src: model.curve, alt: "Perplexity by epoch of the training and the validation text"})] : [];
  byId("about").replaceChildren(make("dl", {}, ...facts), ...curve);
}

async function start() {
  models = await engine.models();
  for (const select of [byId("model"), byId("second-model")])
    select.replaceChildren(...models.map((model) => make("option", {}, model.name)));
  byId("which").hidden = models.length < 2;
  byId("compare-what").hidden = models.length < 2;
  if (models.length > 1) byId("second-model").selectedIndex = 1;
  byId("model").addEventListener("change", () => { about(); suggest(); });
  about();
  await suggest();
  document.documentElement.dataset.ready = "yes";
}

start().catch(tell);
