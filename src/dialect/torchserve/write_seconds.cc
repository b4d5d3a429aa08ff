#include "dialect/torchserve/write_seconds.h"

#include <charconv>
#include <string>

namespace modelmill::torchserve {

void write_seconds(JsonWriter& json, const char* name, const ModelDefinition& definition, const char* parameter) {
  const auto at = definition.parameters.find(parameter);
  if (at == definition.parameters.end()) return;
  const std::string& text = at->second;
  int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error == std::errc() && end == text.data() + text.size()) json.field(name, seconds);
}

}  // namespace modelmill::torchserve
