#include "rollout/route_document.h"

#include <simdjson.h>

#include <algorithm>
#include <utility>

#include "base/json_text.h"
#include "state/kept_document.h"

namespace modelmill {
namespace {

using simdjson::dom::element;

constexpr int64_t kFormat = 1;

Result<std::optional<RouteDefinition>> read_route(const element& value) {
  if (value.is_null()) return std::optional<RouteDefinition>();
  auto route = parse_route(simdjson::to_string(value));
  if (route.ok()) return std::optional(*std::move(route));
  return failed_precondition(route.status().message() + " (use the release that wrote it)");
}

Status read_change(const element& value, RouteChange& into) {
  std::string_view at, what, by;
  element route;
  if (value["number"].get(into.number) != simdjson::SUCCESS || value["at"].get(at) != simdjson::SUCCESS ||
      value["what"].get(what) != simdjson::SUCCESS || value["by"].get(by) != simdjson::SUCCESS ||
      value["before"].get(into.before) != simdjson::SUCCESS || value["route"].get(route) != simdjson::SUCCESS)
    return wrong_kept_field("history");
  into.at = at;
  into.what = what;
  into.by = by;
  MM_ASSIGN_OR_RETURN(into.route, read_route(route));
  return ok_status();
}

Status read_field(std::string_view key, const element& value, RouteDocument& into) {
  if (key == "format") return ok_status();
  if (key == "declared") {
    MM_ASSIGN_OR_RETURN(into.declared, read_route(value));
    return ok_status();
  }
  if (key != "history") return unknown_kept_field(key);
  simdjson::dom::array changes;
  if (value.get(changes) != simdjson::SUCCESS) return wrong_kept_field("history");
  for (const element change : changes) MM_RETURN_IF_ERROR(read_change(change, into.changes.emplace_back()));
  return ok_status();
}

void write_route(JsonWriter& json, const std::optional<RouteDefinition>& route) {
  if (route)
    json.raw(route_json(*route));
  else
    json.null();
}

}  // namespace

void RouteDocument::add(RouteChange change) {
  change.number = changes.empty() ? 1 : changes.back().number + 1;
  changes.push_back(std::move(change));
  if (changes.size() > kMostChanges) changes.erase(changes.begin());
}

void RouteDocument::change(std::string what, std::string by, std::string at, std::optional<RouteDefinition> route) {
  const uint64_t before = changes.empty() ? 0 : changes.back().number;
  add({0, std::move(at), std::move(what), std::move(by), before, std::move(route)});
}

Status RouteDocument::undo(std::string by, std::string at) {
  if (changes.empty()) return failed_precondition("nothing was ever changed");
  const uint64_t before = changes.back().before;
  if (before == 0) {
    if (!changes.back().route) return failed_precondition("every change has been taken back already");
    add({0, std::move(at), "undo", std::move(by), 0, std::nullopt});
    return ok_status();
  }
  const auto it =
      std::find_if(changes.begin(), changes.end(), [before](const RouteChange& c) { return c.number == before; });
  if (it == changes.end())
    return failed_precondition("the change before is forgotten: " + std::to_string(kMostChanges) + " are kept");
  add({0, std::move(at), "undo", std::move(by), it->before, it->route});
  return ok_status();
}

std::string route_document_text(const RouteDocument& document) {
  JsonWriter json;
  json.begin_object().field("format", kFormat);
  if (document.declared) write_route(json.key("declared"), document.declared);
  json.key("history").begin_array();
  for (const RouteChange& change : document.changes) {
    json.begin_object().field("number", change.number).field("at", change.at).field("what", change.what);
    json.field("by", change.by).field("before", change.before).key("route");
    write_route(json, change.route);
    json.end_object();
  }
  json.end_array().end_object();
  return json.take();
}

Result<RouteDocument> parse_route_document(const std::string& text) {
  simdjson::dom::parser parser;
  MM_ASSIGN_OR_RETURN(const simdjson::dom::object object, open_kept_document(parser, text, kFormat));
  RouteDocument document;
  for (const auto& [key, value] : object) MM_RETURN_IF_ERROR(read_field(key, value, document));
  return document;
}

}  // namespace modelmill
