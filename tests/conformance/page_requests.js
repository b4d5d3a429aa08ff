// What the front page would send: node page_requests.js PAGE_SCRIPT reads cases [{model, version, signature, fields}] as
// JSON, `fields` null: those that the form begins with; and writes for each {path, body} or {error}.
const page = require(require("path").resolve(process.argv[2]));
const cases = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(cases.map(({ model, version, signature, fields }) => {
  try {
    return page.makeRequest(model, version, signature, fields || signature.inputs.map(page.defaults));
  } catch (error) {
    return { error: error.message };
  }
})));
