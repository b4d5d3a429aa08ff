#include "dialect/torchserve/query_values.h"

#include <charconv>
#include <utility>

#include "dialect/json_input.h"

namespace modelmill::torchserve {
namespace {

const std::string* find(const NamedTexts& query, std::string_view name) {
  for (const auto& [key, value] : query)
    if (key == name) return &value;
  return nullptr;
}

/// The members of a JSON body as if they had been written as a query.
Result<NamedTexts> members_of(const Bytes& body) {
  const ThreadJsonParser parser;
  const std::string text(body.view());
  MM_ASSIGN_OR_RETURN(const simdjson::dom::element document, parse_json(*parser, text, text.size()));
  simdjson::dom::object object;
  if (document.get_object().get(object) != simdjson::SUCCESS)
    return invalid_argument("the body must be a JSON object such as {\"url\": \"model.mar\"}");
  NamedTexts out;
  for (const auto& [name, value] : object) {
    std::string_view string;
    const bool is_text = value.get_string().get(string) == simdjson::SUCCESS;
    out.emplace_back(name, is_text ? std::string(string) : simdjson::minify(value));
  }
  return out;
}

}  // namespace

std::optional<int64_t> number_in(const NamedTexts& query, std::string_view name) {
  const std::string* text = find(query, name);
  if (text == nullptr) return std::nullopt;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return number;
}

bool flag_in(const NamedTexts& query, std::string_view name, bool otherwise) {
  const std::string* text = find(query, name);
  return text == nullptr ? otherwise : *text == "true" || *text == "True" || *text == "TRUE";
}

std::string text_in(const NamedTexts& query, std::string_view name) {
  const std::string* text = find(query, name);
  return text == nullptr ? std::string() : *text;
}

Result<NamedTexts> registration_values(const wire::HttpRequest& request, bool& by_body) {
  by_body = request.header("content-type").starts_with("application/json") && !request.body.empty();
  return by_body ? members_of(request.body) : parse_query(request.query);
}

}  // namespace modelmill::torchserve
