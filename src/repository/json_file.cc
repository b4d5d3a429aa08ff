#include "repository/json_file.h"

#include <simdjson.h>

#include <utility>

#include "repository/model_files.h"

namespace modelmill {
namespace {

constexpr uint64_t kMostBytes = 16 << 20;

}  // namespace

Result<JsonFile> JsonFile::read(const std::string& path) {
  MM_ASSIGN_OR_RETURN(std::string json, read_file(path, kMostBytes));
  simdjson::dom::parser parser;
  if (const auto error = parser.parse(json).error(); error != simdjson::SUCCESS)
    return invalid_argument(path + ": not JSON: " + simdjson::error_message(error) + "; correct the file");
  return JsonFile(std::move(json));
}

std::optional<std::string> JsonFile::text(const std::string& pointer) const {
  simdjson::dom::parser parser;
  simdjson::dom::element value;
  if (parser.parse(json_).at_pointer(pointer).get(value) != simdjson::SUCCESS) return std::nullopt;
  if (std::string_view text; value.get(text) == simdjson::SUCCESS) return std::string(text);
  if (value.is_number()) return simdjson::to_string(value);
  return std::nullopt;
}

std::optional<bool> JsonFile::flag(const std::string& pointer) const {
  simdjson::dom::parser parser;
  simdjson::dom::element value;
  if (parser.parse(json_).at_pointer(pointer).get(value) != simdjson::SUCCESS) return std::nullopt;
  if (bool flag = false; value.get(flag) == simdjson::SUCCESS) return flag;
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS || (text != "true" && text != "false")) return std::nullopt;
  return text == "true";
}

}  // namespace modelmill
