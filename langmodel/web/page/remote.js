"use strict";
// The engine of the playground: it asks the server.

const engine = {
  async models() {
    const {models} = await answered(await fetch("/api/models"));
    return models.map((model) => ({
      ...model,
      curve: model.has_curve ? `/api/models/${encodeURIComponent(model.name)}/curve.svg` : null,
    }));
  },

  async next(request, signal) {
    return answered(await posted("next", request, signal));
  },

  async score(request, signal) {
    return answered(await posted("score", request, signal));
  },

  async sample(request, onRow, signal) {
    const response = await posted("sample", request, signal);
    if (!response.ok) await answered(response);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const {value, done} = await reader.read();
      const lines = (rest + (value ?? "")).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        const row = JSON.parse(line);
        if (row.error) throw new Error(row.error);
        onRow(row);
      }
      if (done) return;
    }
  },
};

function posted(call, request, signal) {
  const headers = {"content-type": "application/json"};
  return fetch(`/api/${call}`, {method: "POST", headers, body: JSON.stringify(request), signal});
}

async function answered(response) {
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}
