"use strict";
// The network: an id and a state in, log-probabilities and a state out. Weights stand as in PyTorch's layers.

const BLOB = Uint8Array.from(atob(document.getElementById("weights").textContent), (character) => character.charCodeAt(0)).buffer;

function float16(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 0) return sign * 2 ** -24 * fraction;
  return sign * 2 ** (exponent - 25) * (1024 + fraction);
}

const READERS = {
  int8({at, shape: [rows, columns]}) {
    const scales = new Float32Array(BLOB, at, rows), bytes = new Int8Array(BLOB, at + 4 * rows, rows * columns);
    return Float32Array.from(bytes, (value, place) => value * scales[Math.floor(place / columns)]);
  },
  float16({at, shape: [rows, columns]}) {
    return Float32Array.from(new Uint16Array(BLOB, at, rows * columns), float16);
  },
  float32({at, shape: [size]}) {
    return new Float32Array(BLOB, at, size);
  },
};

const TENSORS = Object.fromEntries(DATA.network.tensors.map((tensor) => [tensor.name, READERS[tensor.kind](tensor)]));
const WIDTH = DATA.network.tensors.find((tensor) => tensor.name === "embedding").shape[1];
const OUTPUT = TENSORS.output ?? TENSORS.embedding;
const SIZES = DATA.network.layers;

/** matrix · vector + bias, the matrix's rows one after the other. */
function product(matrix, vector, bias, result) {
  const columns = vector.length;
  for (let row = 0, at = 0; row < result.length; row += 1) {
    let a = 0, b = 0, c = 0, d = 0, column = 0;
    for (; column + 3 < columns; column += 4, at += 4) {
      a += matrix[at] * vector[column];
      b += matrix[at + 1] * vector[column + 1];
      c += matrix[at + 2] * vector[column + 2];
      d += matrix[at + 3] * vector[column + 3];
    }
    for (; column < columns; column += 1, at += 1) a += matrix[at] * vector[column];
    result[row] = a + b + c + d + (bias ? bias[row] : 0);
  }
  return result;
}

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/** A cell: what the input and the state give each gate, the state -> the new state, its first part the output. */
const CELLS = {
  rnn: {gates: 1, states: 1, step: (input, recurrent, [h]) => [h.map((_, k) => Math.tanh(input[k] + recurrent[k]))]},
  gru: {
    gates: 3, states: 1,
    step(input, recurrent, [h]) {
      const H = h.length;
      return [h.map((before, k) => {
        const reset = sigmoid(input[k] + recurrent[k]), keep = sigmoid(input[H + k] + recurrent[H + k]);
        const fresh = Math.tanh(input[2 * H + k] + reset * recurrent[2 * H + k]);
        return (1 - keep) * fresh + keep * before;
      })];
    },
  },
  lstm: {
    gates: 4, states: 2,
    step(input, recurrent, [h, c]) {
      const H = h.length;
      const gate = (number, k) => input[number * H + k] + recurrent[number * H + k];
      const cell = c.map((before, k) => sigmoid(gate(1, k)) * before + sigmoid(gate(0, k)) * Math.tanh(gate(2, k)));
      return [h.map((_, k) => sigmoid(gate(3, k)) * Math.tanh(cell[k])), cell];
    },
  },
  mingru: {
    gates: 2, states: 1,
    step(input, recurrent, [h]) {
      const H = h.length;
      return [h.map((before, k) => {
        const take = sigmoid(input[k] + recurrent[k]);
        return (1 - take) * before + take * (input[H + k] + recurrent[H + k]);
      })];
    },
  },
};

const CELL = CELLS[DATA.network.cell];
const zeroState = () => SIZES.map((size) => Array.from({length: CELL.states}, () => new Float32Array(size)));

/** The hidden vector that the output layer reads after one more id, and the state there. */
function step(id, state) {
  let input = TENSORS.embedding.subarray(id * WIDTH, (id + 1) * WIDTH);
  const after = SIZES.map((size, layer) => {
    const part = (name) => TENSORS[`layers.${layer}.${name}`];
    const gates = CELL.gates * size;
    // Without an embedding, a word selects what it gives each gate.
    const given = part("weight_ih") ? product(part("weight_ih"), input, part("bias_ih"), new Float32Array(gates)) : input;
    const recurrent = part("weight_hh")
      ? product(part("weight_hh"), state[layer][0], part("bias_hh"), new Float32Array(gates))
      : part("bias_hh") ?? new Float32Array(gates);
    const next = CELL.step(given, recurrent, state[layer]);
    input = next[0];
    return next;
  });
  const projection = TENSORS.projection;
  return {hidden: projection ? product(projection, input, null, new Float32Array(projection.length / input.length)) : input, state: after};
}

/** Natural-log probabilities of all ids; START has none. */
function logProbs(hidden) {
  const logits = product(OUTPUT, hidden, TENSORS.output_bias, new Float32Array(WORDS.length));
  logits[START] = -Infinity;
  let most = -Infinity, sum = 0;
  for (const logit of logits) if (logit > most) most = logit;
  for (const logit of logits) sum += Math.exp(logit - most);
  const normalizer = most + Math.log(sum);
  return Float64Array.from(logits, (logit) => logit - normalizer);
}

const remembered = new Map();
const REMEMBERED = 400;

/** What `step` gives after START and these ids; beginnings that were read before are not read again. */
function read(ids) {
  let place = ids.length;
  while (place > 0 && !remembered.has(ids.slice(0, place).join())) place -= 1;
  let reached = place ? remembered.get(ids.slice(0, place).join()) : step(START, zeroState());
  for (; place < ids.length; place += 1) {
    reached = step(ids[place], reached.state);
    if (remembered.size >= REMEMBERED) remembered.delete(remembered.keys().next().value);
    remembered.set(ids.slice(0, place + 1).join(), reached);
  }
  return reached;
}

/** Ids from the likeliest to the least likely, as many as are asked for; START is none of them. */
function likeliest(scores, count) {
  return Array.from(scores.keys()).filter((id) => id !== START).sort((a, b) => scores[b] - scores[a] || a - b).slice(0, count);
}
