// Conditions of inference graphs: the first line is a GJSON path, the rest the document that it is asked of.
#include <algorithm>
#include <string>

#include "base/check.h"
#include "model/graph/gjson_path.h"
#include "targets.h"

namespace modelmill::fuzz {

void gjson(std::string_view bytes) {
  const size_t line = std::min(bytes.find('\n'), bytes.size());
  const auto path = GjsonPath::parse(std::string(bytes.substr(0, line)));
  if (!path.ok()) return;
  simdjson::dom::parser parser;
  const simdjson::padded_string text(bytes.substr(std::min(line + 1, bytes.size())));
  simdjson::dom::element document;
  if (parser.parse(text).get(document) != simdjson::SUCCESS) return;
  const auto found = path->find(document);
  MM_CHECK(found.has_value() == path->exists(document), "what there is can be shown");
  simdjson::dom::parser again;
  if (!found) return;
  const simdjson::error_code error = again.parse(simdjson::padded_string(*found)).error();
  // A path may put the document into as many lists as it likes.
  MM_CHECK(error == simdjson::SUCCESS || error == simdjson::DEPTH_ERROR, "what is found is JSON");
}

}  // namespace modelmill::fuzz
