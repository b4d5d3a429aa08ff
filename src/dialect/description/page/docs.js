"use strict";

// What an OpenAPI document says, and a form for each operation. What needs no page stands first.

const SHOWN = 20000;  // characters of an answer
const DEEPEST = 6;    // levels of an example that is made of a schema

/** The schema itself, where another is named. */
function resolved(schema, schemas) {
  const name = schema && schema.$ref && schema.$ref.split("/").pop();
  return name ? schemas[name] || {} : schema || {};
}

/** A value of a schema: what it asks for, and nothing more. */
function exampleOf(schema, schemas, depth = 0) {
  const { type, properties = {}, required = [], anyOf, items } = resolved(schema, schemas);
  if (depth > DEEPEST) return null;
  if (anyOf) return exampleOf(anyOf[0], schemas, depth + 1);
  switch (Array.isArray(type) ? type[0] : type) {
    case "array": return items ? [exampleOf(items, schemas, depth + 1)] : [];
    case "integer":
    case "number": return 0;
    case "boolean": return false;
    case "string": return "";
    default: return Object.fromEntries(required.map((name) => [name, exampleOf(properties[name], schemas, depth + 1)]));
  }
}

/** The text that a body's field begins with; null: the operation has no body. */
function bodyOf(operation, schemas) {
  const content = operation.requestBody && operation.requestBody.content;
  if (!content) return null;
  const json = content["application/json"] || {};
  if (json.example !== undefined) return JSON.stringify(json.example, null, 1);
  return json.schema ? JSON.stringify(exampleOf(json.schema, schemas), null, 1) : "";
}

/** The path with its parameters filled in. */
function filledPath(path, values) {
  return path.replace(/\{(\w+)\}/g, (_, name) => {
    if (!values[name]) throw new Error(`${name} is missing`);
    return encodeURIComponent(values[name]);
  });
}

function show(text) {
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}\n… ${text.length - SHOWN} characters more` : text;
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 1);
  } catch {
    return text;
  }
}

if (typeof document === "object") {
  const find = (id) => document.getElementById(id);
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const source = `${location.pathname.replace(/\/+$/, "")}/dataplane.json`;

  const headers = (more = {}) => {
    const token = find("token").value.trim();
    return token ? { ...more, Authorization: `Bearer ${token}` } : more;
  };

  const field = (text, input) => make("label", {}, text, input);

  const responsesOf = (operation) => {
    const rows = Object.entries(operation.responses || {}).map(([status, reply]) => {
      const types = Object.entries(reply.content || {}).map(([type, { schema }]) =>
        schema && schema.$ref ? `${type}: ${schema.$ref.split("/").pop()}` : type);
      return make("tr", {}, make("td", { textContent: status }), make("td", { textContent: reply.description || "" }),
        make("td", { textContent: types.join(", ") }));
    });
    return make("table", {}, make("tbody", {}, ...rows));
  };

  const formOf = (method, path, operation, schemas) => {
    const names = (operation.parameters || []).filter((one) => one.in === "path").map((one) => one.name);
    const inputs = names.map((name) => make("input", { name, required: true }));
    const begins = bodyOf(operation, schemas);
    const body = begins === null ? null : make("textarea", { value: begins, spellcheck: false });
    const answer = make("pre", { hidden: true });
    answer.setAttribute("role", "status");
    const form = make("form", {}, ...inputs.map((input) => field(input.name, input)),
      ...(body ? [field("body", body)] : []), make("button", { type: "submit", textContent: "Send" }), answer);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      answer.hidden = false;
      answer.textContent = "…";
      try {
        const values = Object.fromEntries(inputs.map((input) => [input.name, input.value]));
        const request = { method: method.toUpperCase(), headers: headers(body ? { "Content-Type": "application/json" } : {}) };
        if (body) request.body = body.value;
        const reply = await fetch(filledPath(path, values), request);
        answer.textContent = `${reply.status} ${reply.statusText}\n${show(pretty(await reply.text()))}`;
      } catch (error) {
        answer.textContent = String(error.message || error);
      }
    });
    return form;
  };

  const operationOf = (method, path, operation, schemas) => make("details", {},
    make("summary", {}, make("span", { className: "method", textContent: method }), make("code", { textContent: path }),
      ` ${operation.summary || ""}`),
    responsesOf(operation), formOf(method, path, operation, schemas));

  const render = (description) => {
    const schemas = (description.components || {}).schemas || {};
    document.title = find("title").textContent = `${description.info.title} ${description.info.version}`;
    find("note").textContent = description.info.description || "";
    find("operations").replaceChildren(...Object.entries(description.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => operationOf(method, path, operation, schemas))));
    find("schemas").replaceChildren(...Object.entries(schemas).map(([name, schema]) => make("details", {},
      make("summary", {}, make("code", { textContent: name })),
      make("pre", { textContent: JSON.stringify(schema, null, 1) }))));
  };

  const load = async () => {
    try {
      const reply = await fetch(source, { headers: headers() });
      if (!reply.ok) throw new Error(`${source}: ${reply.status} ${show(await reply.text())}`);
      render(await reply.json());
    } catch (error) {
      find("note").textContent = String(error.message || error);
    }
  };

  find("document").href = source;
  find("reload").addEventListener("click", load);
  load();
}
