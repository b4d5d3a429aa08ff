#include "state/kept_document.h"

namespace modelmill {

Result<simdjson::dom::object> open_kept_document(simdjson::dom::parser& parser, const std::string& text,
                                                 int64_t format) {
  simdjson::dom::object object;
  int64_t written = 0;
  if (parser.parse(text).get(object) != simdjson::SUCCESS || object["format"].get(written) != simdjson::SUCCESS)
    return wrong_kept_field("format");
  if (written == format) return object;
  return failed_precondition("its format is " + std::to_string(written) + ", and this release reads format " +
                             std::to_string(format) + "; use the release that wrote it");
}

Status wrong_kept_field(std::string_view name) {
  return {Code::kDataLoss, "field '" + std::string(name) + "' is not what this release writes there"};
}

Status unknown_kept_field(std::string_view name) {
  return failed_precondition("field '" + std::string(name) +
                             "' is not known to this release; use the one that wrote it");
}

}  // namespace modelmill
