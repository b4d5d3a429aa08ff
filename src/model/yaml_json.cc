#include "model/yaml_json.h"

#include <simdjson.h>

#include "base/json_text.h"

namespace modelmill {
namespace {

/// As JSON would read it by itself.
bool is_json_scalar(const std::string& text) {
  simdjson::dom::parser parser;
  simdjson::dom::element value;
  return parser.parse(text).get(value) == simdjson::SUCCESS && !value.is_string() && !value.is_array() &&
         !value.is_object();
}

void write(JsonWriter& json, const YAML::Node& value) {
  if (value.IsMap()) {
    json.begin_object();
    for (const auto& entry : value) {
      json.key(entry.first.IsScalar() ? entry.first.Scalar() : std::string());
      write(json, entry.second);
    }
    json.end_object();
  } else if (value.IsSequence()) {
    json.begin_array();
    for (const auto& item : value) write(json, item);
    json.end_array();
  } else if (value.IsScalar()) {
    const std::string& text = value.Scalar();
    const bool quoted = value.Tag() == "!";
    if (!quoted && is_json_scalar(text))
      json.raw(text);
    else
      json.value(text);
  } else {
    json.null();
  }
}

}  // namespace

std::string json_of_yaml(const YAML::Node& value) {
  JsonWriter json;
  write(json, value);
  return json.take();
}

}  // namespace modelmill
