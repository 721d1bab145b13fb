"use strict";
// Where the words of a tokenizer stand in the text as one reads it, and elements made of text alone.

const QUOTES = new Map([["``", '"'], ["''", '"'], ["`", "'"]]);

/** The place [start, end) of each word in the text, or null where they do not follow one another in it. */
function spans(text, words) {
  const found = [];
  let at = 0;
  for (const word of words) {
    while (at < text.length && /\s/u.test(text[at])) at += 1;
    const form = [word, QUOTES.get(word)].find(
      (form) => form && text.slice(at, at + form.length).toLowerCase() === form.toLowerCase(),
    );
    if (!form) return null;
    found.push([at, at + form.length]);
    at += form.length;
  }
  return found;
}

/** An element; children that are text stay text. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** The text with an element in place of every word; the blanks between stay as they are. */
function withWords(text, words, element) {
  const places = spans(text, words);
  if (!places) return words.flatMap((word, number) => [number ? " " : "", element(word, number)]);
  const parts = [];
  let at = 0;
  places.forEach(([start, end], number) => {
    parts.push(text.slice(at, start), element(text.slice(start, end), number));
    at = end;
  });
  return [...parts, text.slice(at)];
}

/** One stop for Tab; the arrow keys move among the elements. */
function rove(container, selector) {
  const all = () => [...container.querySelectorAll(selector)];
  all().forEach((element, number) => element.setAttribute("tabindex", number ? "-1" : "0"));
  container.addEventListener("keydown", (event) => {
    const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
    const elements = all();
    const place = elements.indexOf(document.activeElement);
    if (!step || place < 0) return;
    event.preventDefault();
    const next = elements[Math.min(elements.length - 1, Math.max(0, place + step))];
    elements.forEach((element) => element.setAttribute("tabindex", element === next ? "0" : "-1"));
    next.focus();
  });
}

const percent = (share) => `${(100 * share).toFixed(share < 0.001 ? 2 : 1)} %`;
