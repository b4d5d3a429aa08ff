#include "dialect/kserve_v2/open_request.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "dialect/kserve_v2/shared_tensors.h"

namespace modelmill::kserve_v2 {
namespace {

/// Of the protocol's extensions, and no word to the model.
bool says_where_data_is(std::string_view name) {
  constexpr std::string_view kNames[] = {"binary_data", "binary_data_output", "binary_data_size", "classification"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames) || SharedParameters::knows(name);
}

}  // namespace

void OpenRequest::Members::add(simdjson::dom::object object, const NumberArrays* apart) {
  for (const auto& [name, value] : object) {
    if (says_where_data_is(name)) continue;
    const std::string json = simdjson::minify(value);
    json_.key(name).raw(apart != nullptr ? apart->restored(json) : json);
  }
}

void OpenRequest::Members::add(std::string_view name, const ParameterValue& value) {
  if (says_where_data_is(name)) return;
  json_.key(name);
  std::visit([&](const auto& v) { json_.value(v); }, value);
}

void OpenRequest::add_input(std::string_view name, Members parameters) {
  if (!parameters.empty()) inputs_.emplace_back(name, std::move(parameters));
}

void OpenRequest::add_output(std::string_view name, Members parameters) {
  if (!parameters.empty()) outputs_.emplace_back(name, std::move(parameters));
}

void OpenRequest::add_shape(std::string_view name, std::span<const int64_t> shape) {
  shapes_.key(name).begin_array();
  for (const int64_t size : shape) shapes_.value(size);
  shapes_.end_array();
}

std::string OpenRequest::text_with(std::string_view headers) const {
  const auto braced = [](const Members& members) { return "{" + members.json_.text() + "}"; };
  JsonWriter json;
  json.begin_object().key("headers").raw(headers);
  if (!parameters_.empty()) json.key("parameters").raw(braced(parameters_));
  const auto add = [&](std::string_view key, const auto& tensors) {
    json.key(key).begin_object();
    for (const auto& [name, parameters] : tensors) json.key(name).raw(braced(parameters));
    json.end_object();
  };
  add("inputs", inputs_);
  add("outputs", outputs_);
  if (!shapes_.text().empty()) json.key("shapes").raw("{" + shapes_.text() + "}");
  if (json_) json.field("json", true);
  if (stream_) json.field("stream", true);
  return json.end_object().take();
}

}  // namespace modelmill::kserve_v2
