"use strict";

// What is sent, made of a model's signature and of what stands in the form. No document is needed for that.

const SHOWN = 20000;    // characters of an answer
const LISTED = 32;      // elements that a field shows one by one
const MOST = 10000000;  // elements that a word may stand for
const WORDS = {
  zeros: { number: () => 0, flag: () => false, text: () => "" },
  ones: { number: () => 1, flag: () => true, text: () => "1" },
  random: { number: (whole) => whole ? Math.floor(Math.random() * 10) : Math.round(Math.random() * 1000) / 1000,
            flag: () => Math.random() < 0.5, text: () => Math.random().toString(36).slice(2, 8) },
};

const isHalf = (type) => type === "FP16" || type === "BF16";
const isWhole = (type) => /^U?INT/.test(type);
const count = (shape) => shape.reduce((product, size) => product * size, 1);

function filled(word, type, shape) {
  const { text, flag, number } = WORDS[word];
  const make = type === "BYTES" ? text : type === "BOOL" ? flag : () => number(isWhole(type));
  if (count(shape) > MOST) throw new Error(`${shape.join(" × ")} elements are too many to be made here`);
  const nest = (at) => at === shape.length ? make() : Array.from({ length: shape[at] }, () => nest(at + 1));
  return nest(0);
}

/** What the fields of an input begin with. */
function defaults(input) {
  const shape = input.shape.map((size) => size < 0 ? 1 : size);
  const listed = count(shape) <= LISTED;
  return { shape: shape.join(", "), value: listed ? JSON.stringify(filled("zeros", input.datatype, shape)) : "zeros" };
}

/** The shape of nested arrays; null where rows differ. */
function shapeOf(value) {
  if (!Array.isArray(value)) return [];
  const inner = value.map(shapeOf);
  if (inner.some((one) => one === null || one.join() !== inner[0].join())) return null;
  return [value.length, ...(inner[0] || [])];
}

const matches = (spec, shape) =>
  spec.length === shape.length && spec.every((size, i) => size < 0 || size === shape[i]);

function parseShape(input, text) {
  const shape = text.trim() === "" ? [] : text.split(/[\s,x×]+/).filter(Boolean).map(Number);
  if (!shape.every((size) => Number.isInteger(size) && size >= 0) || !matches(input.shape, shape))
    throw new Error(`${input.name}: the shape is ${text || "empty"}, expected ${JSON.stringify(input.shape)} (-1: any)`);
  return shape;
}

/** {shape, data} of an input, `data` as JSON's own text, so that no digit of a large integer is lost. */
function read(input, field) {
  const text = field.value.trim();
  const shape = parseShape(input, field.shape);
  if (Object.hasOwn(WORDS, text)) {
    const made = filled(text, input.datatype, shape);
    return { shape, data: JSON.stringify(shape.length ? made : [made]) };
  }
  let value;
  try {
    value = JSON.parse(text);
    if (input.datatype === "BYTES" && !Array.isArray(value) && typeof value !== "string") throw new SyntaxError();
  } catch (error) {
    if (input.datatype !== "BYTES" || count(shape) !== 1) throw new Error(`${input.name} is no JSON: ${error.message}`);
    return { shape, data: JSON.stringify([field.value]) };
  }
  if (!Array.isArray(value)) {
    if (count(shape) !== 1) throw new Error(`${input.name}: one value, where ${count(shape)} are expected`);
    return { shape, data: `[${text}]` };
  }
  const found = shapeOf(value);
  if (found === null) throw new Error(`${input.name}: its rows are not equally long`);
  if (matches(input.shape, found)) return { shape: found, data: text };
  if (found.length === 1 && found[0] === count(shape)) return { shape, data: text };
  if (matches(input.shape, [1, ...found])) return { shape: [1, ...found], data: text };
  throw new Error(`${input.name} has shape ${JSON.stringify(found)}, expected ${JSON.stringify(input.shape)} (-1: any)`);
}

/** Nested arrays of flat ones, as JSON's text. */
function nested(shape, data) {
  const flat = JSON.parse(data).flat(Infinity);
  let at = 0;
  const nest = (i) => i === shape.length ? flat[at++] : Array.from({ length: shape[i] }, () => nest(i + 1));
  return JSON.stringify(nest(0));
}

/** {path, body}: a request of the V2 protocol. Its JSON has no half precision; models with that are asked by /predict. */
function makeRequest(model, version, signature, fields) {
  const filledIn = signature.inputs.map((input, i) => ({ input, field: fields[i] })).filter((one) => one.field.value.trim());
  const given = filledIn.map(({ input, field }) => ({ input, ...read(input, field) }));
  const place = encodeURIComponent(model) + (version ? `/versions/${encodeURIComponent(version)}` : "");
  if ([...signature.inputs, ...signature.outputs].some((one) => isHalf(one.datatype))) {
    const members = given.map(({ input, shape, data }) => `${JSON.stringify(input.name)}:${nested(shape, data)}`);
    return { path: `predict/${place}`, body: `{${members.join(",")}}` };
  }
  const inputs = given.map(({ input, shape, data }) =>
    `{"name":${JSON.stringify(input.name)},"datatype":"${input.datatype}","shape":${JSON.stringify(shape)},"data":${data}}`);
  return { path: `v2/models/${place}/infer`, body: `{"inputs":[${inputs.join(",")}]}` };
}

/** [[what, text]] of a Server-Timing header. */
function timings(header) {
  return ((header || "").match(/(?:[^,"]|"[^"]*")+/g) || []).map((part) => {
    const [name, ...rest] = part.trim().split(";");
    const values = Object.fromEntries(rest.map((one) => one.split("=")));
    const why = values.desc ? ` (${values.desc.replaceAll('"', "")})` : "";
    return [name, (values.dur === undefined ? "" : `${values.dur} ms`) + why];
  });
}

if (typeof module === "object") module.exports = { defaults, makeRequest, shapeOf, timings };

// The page.

if (typeof document === "object") {
  const at = (id) => document.getElementById(id);
  const make = (name, text = "", more = {}) => Object.assign(document.createElement(name), { textContent: text }, more);
  let chosen = null;  // {name, version, signature, fields}
  let shown = null;   // {name, version} of the model on the right; another object each time one is chosen

  const headers = (more = {}) => at("token").value ? { ...more, authorization: `Bearer ${at("token").value}` } : more;
  async function ask(path, body) {
    const sent = { method: body === undefined ? "GET" : "POST", body };
    const reply = await fetch(path, { ...sent, headers: headers(body ? { "content-type": "application/json", "x-server-timing": "1" } : {}) });
    return { reply, text: await reply.text() };
  }
  async function json(path, body) {
    const { reply, text } = await ask(path, body);
    if (reply.ok) return JSON.parse(text);
    throw new Error(`${reply.status}: ${text.slice(0, 500)}`);
  }

  async function list() {
    const note = at("models-note");
    try {
      const models = await json("v2/repository/index", "{}");
      at("models").replaceChildren(...models.map(entry));
      note.textContent = models.length ? "" : "There are none.";
    } catch (error) {
      note.textContent = `They can't be listed. ${error.message}`;
    }
  }
  function entry(model) {
    const ready = model.state === "READY";
    const label = model.name + (model.version ? ` ${model.version}` : "") + (ready ? "" : ` (${model.reason || model.state || "not loaded"})`);
    const button = make("button", label, { type: "button", disabled: !ready });
    if (shown) button.setAttribute("aria-current", shown.name === model.name && shown.version === model.version);
    button.addEventListener("click", () => show(model, button));
    const item = make("li");
    item.append(button);
    return item;
  }

  async function show(model, button) {
    const { name, version } = model;
    const mine = shown = { name, version };
    chosen = null;
    document.querySelectorAll("#models button").forEach((one) => one.setAttribute("aria-current", one === button));
    at("model").hidden = false;
    at("answer").hidden = true;
    at("model-title").textContent = name + (version ? `, version ${version}` : "");
    at("path").textContent = "";
    at("signature").replaceChildren();
    at("fields").replaceChildren();
    try {
      const path = `v2/models/${encodeURIComponent(name)}`;
      const signature = await json(version ? `${path}/versions/${encodeURIComponent(version)}` : path);
      if (mine !== shown) return;
      if (signature.platform === "inference_graph")
        throw new Error(`It is an inference graph, which has no signature: POST what its first model takes to graphs/${name}.`);
      const row = (kind) => (one) => {
        const line = make("tr");
        line.append(make("td", `${one.name} (${kind})`), make("td", one.datatype), make("td", `[${one.shape.join(", ")}]`));
        return line;
      };
      at("signature").replaceChildren(...signature.inputs.map(row("in")), ...signature.outputs.map(row("out")));
      chosen = { name, version, signature, fields: signature.inputs.map(field) };
      at("fields").replaceChildren(...chosen.fields.map((one) => one.set));
    } catch (error) {
      if (mine === shown) at("fields").replaceChildren(make("p", error.message, { className: "bad" }));
    }
  }
  function field(input) {
    const start = defaults(input);
    const set = make("fieldset");
    const shape = make("input", "", { value: start.shape, disabled: !input.shape.some((size) => size < 0) });
    const value = make("textarea", "", { value: start.value, spellcheck: false });
    const labelled = (text, control) => {
      const label = make("label", text);
      label.append(control);
      return label;
    };
    set.append(make("legend", `${input.name} `), labelled(`${input.datatype}, shape`, shape), labelled("value", value));
    return { set, read: () => ({ shape: shape.value, value: value.value }) };
  }

  async function send(event) {
    event.preventDefault();
    const mine = shown, button = at("send");
    if (!chosen || button.ariaDisabled === "true") return;
    const put = (status, pairs, body, bad) => {
      if (mine !== shown) return;  // another model has been chosen meanwhile
      at("answer").hidden = false;
      at("status").textContent = status;
      at("status").className = bad ? "bad" : "";
      at("timing").replaceChildren(...pairs.map(([name, text]) => {
        const pair = make("div");
        pair.append(make("dt", name), make("dd", text));
        return pair;
      }));
      at("body").textContent = body.length > SHOWN ? `${body.slice(0, SHOWN)} … (${body.length} characters)` : body;
    };
    button.ariaDisabled = "true";
    try {
      const fields = chosen.fields.map((one) => one.read());
      const request = makeRequest(chosen.name, chosen.version, chosen.signature, fields);
      at("path").textContent = `POST /${request.path}`;
      const start = performance.now();
      const { reply, text } = await ask(request.path, request.body);
      const whole = ["here", `${(performance.now() - start).toFixed(2)} ms`];
      put(`${reply.status} ${reply.statusText}`, [whole, ...timings(reply.headers.get("server-timing"))], text, !reply.ok);
    } catch (error) {
      put("Not sent", [], error.message, true);
    } finally {
      button.ariaDisabled = null;
    }
  }

  at("form").addEventListener("submit", send);
  at("reload").addEventListener("click", list);
  list();
}
