#include "storage/json_fields.h"

#include <simdjson.h>

#include <charconv>

namespace modelmill {

Result<JsonFields> JsonFields::parse(std::string_view json, const std::string& what) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (const auto error = parser.parse(json.data(), json.size()).get(object))
    return invalid_argument(what + " is not a JSON object: " + simdjson::error_message(error));
  JsonFields out;
  for (const auto field : object) {
    std::string_view text;
    int64_t number = 0;
    if (!field.value.get(text))
      out.fields_[std::string(field.key)] = text;
    else if (!field.value.get(number))
      out.fields_[std::string(field.key)] = std::to_string(number);
  }
  return out;
}

const std::string& JsonFields::get(const std::string& name) const {
  static const std::string kNone;
  const auto found = fields_.find(name);
  return found == fields_.end() ? kNone : found->second;
}

int64_t JsonFields::number(const std::string& name) const {
  const std::string& text = get(name);
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace modelmill
