#include "dialect/openai/embeddings_request.h"

#include <utility>

#include "dialect/json_input.h"

namespace modelmill::openai {
namespace {

namespace dom = simdjson::dom;

constexpr const char* kForms = "a string, an array of strings, an array of tokens, or an array of arrays of tokens";

void append_text(std::string& out, std::string_view text) {
  const auto length = static_cast<uint32_t>(text.size());
  out.append(reinterpret_cast<const char*>(&length), sizeof length);
  out += text;
}

Status mixed(size_t index) {
  return invalid_argument("'input' is " + std::string(kForms) + ", and its item " + std::to_string(index) +
                          " is of another kind than the first one");
}

Status read_tokens(dom::array items, std::vector<int64_t>& tokens) {
  for (const dom::element item : items) {
    int64_t token = 0;
    if (item.get_int64().get(token) != simdjson::SUCCESS || token < 0)
      return invalid_argument("'input' has a row of tokens whose item " + std::to_string(tokens.size()) +
                              " is no whole number from 0 on");
    tokens.push_back(token);
  }
  if (tokens.empty()) return invalid_argument("'input' has a row without tokens");
  return ok_status();
}

Status read_texts(dom::array items, EmbeddingsRequest& out) {
  std::string texts;
  for (const dom::element item : items) {
    std::string_view text;
    if (item.get_string().get(text) != simdjson::SUCCESS) return mixed(out.rows);
    append_text(texts, text);
    ++out.rows;
  }
  out.texts = Bytes::from_string(std::move(texts));
  return ok_status();
}

Status read_token_rows(dom::array items, EmbeddingsRequest& out) {
  for (const dom::element item : items) {
    dom::array row;
    if (item.get_array().get(row) != simdjson::SUCCESS) return mixed(out.rows);
    MM_RETURN_IF_ERROR(read_tokens(row, out.tokens.emplace_back()));
    ++out.rows;
  }
  return ok_status();
}

Status read_input(dom::element value, EmbeddingsRequest& out) {
  std::string_view text;
  if (value.get_string().get(text) == simdjson::SUCCESS) {
    std::string texts;
    append_text(texts, text);
    out.texts = Bytes::from_string(std::move(texts));
    out.rows = 1;
    return ok_status();
  }
  dom::array items;
  if (value.get_array().get(items) != simdjson::SUCCESS) return invalid_argument("'input' is " + std::string(kForms));
  if (items.begin() == items.end()) return invalid_argument("'input' is empty; it is " + std::string(kForms));
  const dom::element first = *items.begin();
  if (first.is_string()) return read_texts(items, out);
  if (first.is_array()) return read_token_rows(items, out);
  out.rows = 1;
  return read_tokens(items, out.tokens.emplace_back());
}

/// Sets `text` if the member is there and not null.
Status read_text(dom::object object, std::string_view name, std::string_view& text) {
  dom::element value;
  if (object.at_key(name).get(value) != simdjson::SUCCESS || value.is_null()) return ok_status();
  if (value.get_string().get(text) != simdjson::SUCCESS)
    return invalid_argument("'" + std::string(name) + "' is a string");
  return ok_status();
}

Status read_dimensions(dom::object object, int64_t& dimensions) {
  dom::element value;
  if (object.at_key("dimensions").get(value) != simdjson::SUCCESS || value.is_null()) return ok_status();
  if (value.get_int64().get(dimensions) != simdjson::SUCCESS || dimensions < 1)
    return invalid_argument("'dimensions' is a whole number from 1 on");
  return ok_status();
}

}  // namespace

size_t EmbeddingsRequest::token_count() const {
  size_t count = 0;
  for (const std::vector<int64_t>& row : tokens) count += row.size();
  return count;
}

Status read_embeddings_request(const Bytes& body, EmbeddingsRequest& out, std::string_view& param) {
  const ThreadJsonParser parser;
  MM_ASSIGN_OR_RETURN(const dom::element document, parse_json(*parser, body.view(), readable_from(body)));
  dom::object object;
  if (document.get_object().get(object) != simdjson::SUCCESS)
    return invalid_argument("the body is a JSON object with 'model' and 'input'");
  std::string_view model;
  param = "model";
  MM_RETURN_IF_ERROR(read_text(object, "model", model));
  if (model.empty()) return invalid_argument("you must provide a 'model' parameter: the name of a model");
  out.model = model;
  param = "input";
  dom::element input;
  if (object.at_key("input").get(input) != simdjson::SUCCESS)
    return invalid_argument("'input' is missing: " + std::string(kForms));
  MM_RETURN_IF_ERROR(read_input(input, out));
  param = "encoding_format";
  std::string_view format;
  MM_RETURN_IF_ERROR(read_text(object, param, format));
  if (!format.empty() && format != "float" && format != "base64")
    return invalid_argument("'encoding_format' is '" + std::string(format) + "'; it is 'float' or 'base64'");
  out.base64 = format == "base64";
  param = "dimensions";
  MM_RETURN_IF_ERROR(read_dimensions(object, out.dimensions));
  param = "user";
  std::string_view user;
  MM_RETURN_IF_ERROR(read_text(object, param, user));
  param = {};
  return ok_status();
}

}  // namespace modelmill::openai
