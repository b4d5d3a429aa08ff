#include "rollout/rollout_part.h"

#include <simdjson.h>

#include "base/json_text.h"
#include "rollout/rollout_window_json.h"
#include "state/kept_document.h"
#include "state/kept_fields.h"

namespace modelmill {
namespace {

constexpr int64_t kPartFormat = 1;

}  // namespace

std::string rollout_part_text(const RolloutPart& part) {
  JsonWriter json;
  json.begin_object().field("format", kPartFormat).field("route", part.route).field("replica", part.replica);
  json.field("rollout", part.rollout).field("step", static_cast<uint64_t>(part.step));
  write_window_fields(json, part.window);
  return json.end_object().take();
}

Result<RolloutPart> parse_rollout_part(const std::string& text) {
  simdjson::dom::parser parser;
  MM_RETURN_IF_ERROR(open_kept_document(parser, text, kPartFormat).status());
  const simdjson::dom::element whole = parser.doc.root();
  RolloutPart part;
  uint64_t step = 0;
  KeptFields fields(whole);
  fields.read("route", part.route);
  fields.read("replica", part.replica);
  fields.read("rollout", part.rollout);
  fields.read("step", step);
  part.step = step;
  if (!fields.ok() || !read_window_fields(whole, part.window)) return wrong_kept_field("part");
  return part;
}

}  // namespace modelmill
