#include "learning/weight_document.h"

#include <simdjson.h>

#include <cmath>

#include "base/json_text.h"
#include "state/kept_document.h"
#include "state/kept_fields.h"

namespace modelmill {
namespace {

constexpr int64_t kFormat = 1;

Status read_combination(const simdjson::dom::element& value, WeightDocument& into) {
  KeptFields fields(value);
  simdjson::dom::object weights;
  fields.read("weights", weights);
  fields.read("frozen", into.frozen);
  fields.read("counted", into.counted);
  fields.read("changed_at", into.changed_at);
  fields.read("changed_by", into.changed_by);
  if (!fields.ok()) return wrong_kept_field("combination");
  for (const auto& [member, number] : weights) {
    double weight = 0;
    if (number.get(weight) != simdjson::SUCCESS || !std::isfinite(weight) || weight < 0)
      return wrong_kept_field("weights");
    into.weights[std::string(member)] = weight;
  }
  return ok_status();
}

}  // namespace

std::string weight_document_text(const WeightDocument& document) {
  JsonWriter json;
  json.begin_object().field("format", kFormat).key("combination").begin_object().key("weights").begin_object();
  for (const auto& [member, weight] : document.weights) json.field(member, weight);
  json.end_object().field("frozen", document.frozen).field("counted", document.counted);
  json.field("changed_at", document.changed_at).field("changed_by", document.changed_by).end_object().end_object();
  return json.take();
}

Result<WeightDocument> parse_weight_document(const std::string& text) {
  simdjson::dom::parser parser;
  MM_ASSIGN_OR_RETURN(const simdjson::dom::object object, open_kept_document(parser, text, kFormat));
  WeightDocument document;
  for (const auto& [key, value] : object) {
    if (key == "format") continue;
    if (key != "combination") return unknown_kept_field(key);
    MM_RETURN_IF_ERROR(read_combination(value, document));
  }
  return document;
}

}  // namespace modelmill
