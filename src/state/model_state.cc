#include "state/model_state.h"

#include <simdjson.h>

#include <string_view>
#include <utility>

#include "base/json_text.h"
#include "state/kept_document.h"

namespace modelmill {
namespace {

constexpr const char* kPrefix = "models/";
constexpr int64_t kFormat = 1;
/// Each failed attempt means that another writer has written: so many in a row mean that something is wrong.
constexpr int kAttempts = 1000;

using Asked = ModelState::Asked;

std::string key_of(const std::string& model) { return kPrefix + model; }

std::string what(const std::string& model) { return "the kept state of model '" + model + "'"; }

Status read_labels(simdjson::dom::element value, ModelState& state) {
  simdjson::dom::object labels;
  if (value.get(labels) != simdjson::SUCCESS) return wrong_kept_field("labels");
  for (const auto& [label, version] : labels)
    if (version.get(state.labels[std::string(label)]) != simdjson::SUCCESS) return wrong_kept_field("labels");
  return ok_status();
}

Status read_field(std::string_view name, simdjson::dom::element value, ModelState& state) {
  if (name == "format") return ok_status();
  if (name == "labels") return read_labels(value, state);
  if (name == "default_version") {
    int64_t version = 0;
    if (value.get(version) != simdjson::SUCCESS) return wrong_kept_field(name);
    state.default_version = version;
    return ok_status();
  }
  std::string_view text;
  if (name == "asked") {
    if (value.get(text) != simdjson::SUCCESS || (text != "loaded" && text != "unloaded")) return wrong_kept_field(name);
    state.asked = text == "loaded" ? Asked::kLoaded : Asked::kUnloaded;
    return ok_status();
  }
  if (name == "config_override") {
    if (value.get(text) != simdjson::SUCCESS) return wrong_kept_field(name);
    state.config_override = text;
    return ok_status();
  }
  return unknown_kept_field(name);
}

Result<ModelState> read_stored(const std::string& model, const std::optional<StoredValue>& stored) {
  if (!stored) return ModelState();
  auto state = parse_model_state(stored->value);
  return state.ok() ? std::move(state) : Result<ModelState>(state.status().with_context(what(model)));
}

}  // namespace

std::string model_state_text(const ModelState& state) {
  JsonWriter json;
  json.begin_object().field("format", kFormat);
  if (!state.labels.empty()) {
    json.key("labels").begin_object();
    for (const auto& [label, version] : state.labels) json.field(label, version);
    json.end_object();
  }
  if (state.default_version) json.field("default_version", *state.default_version);
  if (state.asked != Asked::kNothing) json.field("asked", state.asked == Asked::kLoaded ? "loaded" : "unloaded");
  // As text: numbers in it stay as they were written.
  if (!state.config_override.empty()) json.field("config_override", state.config_override);
  return json.end_object().take();
}

Result<ModelState> parse_model_state(const std::string& text) {
  simdjson::dom::parser parser;
  MM_ASSIGN_OR_RETURN(const simdjson::dom::object object, open_kept_document(parser, text, kFormat));
  ModelState state;
  for (const auto& [name, value] : object) MM_RETURN_IF_ERROR(read_field(name, value, state));
  return state;
}

Result<ModelState> ModelStates::read(const std::string& model) const {
  MM_ASSIGN_OR_RETURN(const std::optional<StoredValue> stored, store_.get(key_of(model)));
  return read_stored(model, stored);
}

Result<std::map<std::string, ModelState>> ModelStates::read_all() const {
  MM_ASSIGN_OR_RETURN(const auto stored, store_.list(kPrefix));
  std::map<std::string, ModelState> out;
  for (const auto& [key, value] : stored) {
    const std::string model = key.substr(std::string_view(kPrefix).size());
    MM_ASSIGN_OR_RETURN(out[model], read_stored(model, value));
  }
  return out;
}

Result<ModelState> ModelStates::update(const std::string& model,
                                       const std::function<Status(ModelState&)>& change) const {
  Status lost;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    MM_ASSIGN_OR_RETURN(const std::optional<StoredValue> stored, store_.get(key_of(model)));
    MM_ASSIGN_OR_RETURN(ModelState state, read_stored(model, stored));
    const ModelState before = state;
    MM_RETURN_IF_ERROR(change(state));
    if (state.asked != Asked::kLoaded) state.config_override.clear();
    if (state == before) return state;
    const auto text = state == ModelState() ? std::nullopt : std::optional(model_state_text(state));
    const auto put = store_.compare_and_put(key_of(model), text, stored ? stored->revision : 0);
    if (put.ok()) return state;
    lost = put.status();
    if (lost.code() != Code::kAborted) break;
  }
  return lost.with_context(what(model));
}

}  // namespace modelmill
