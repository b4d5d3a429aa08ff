#include <utility>

#include "dialect/json_input.h"
#include "dialect/tfserving/examples.h"
#include "dialect/tfserving/json_values.h"
#include "tensorflow.pb.h"

namespace modelmill::tfserving {
namespace {

namespace dom = simdjson::dom;
using tensorflow::Feature;

Status wrong_element(const std::string& feature) {
  return invalid_argument("Feature: " + feature + " has an element that is no number, string, bool or {\"b64\": ...}");
}

Status add_number(dom::element value, const std::string& name, Feature& feature) {
  switch (value.type()) {
    case dom::element_type::DOUBLE:
      feature.mutable_float_list()->add_value(static_cast<float>(value.get_double().value_unsafe()));
      return ok_status();
    case dom::element_type::INT64:
      feature.mutable_int64_list()->add_value(value.get_int64().value_unsafe());
      return ok_status();
    case dom::element_type::BOOL:
      feature.mutable_int64_list()->add_value(value.get_bool().value_unsafe() ? 1 : 0);
      return ok_status();
    case dom::element_type::UINT64:
      return invalid_argument("Feature: " + name + " has uint64_t element. Only int64_t is supported.");
    default: return wrong_element(name);
  }
}

Status add_value(dom::element value, const std::string& name, Feature& feature) {
  const Feature::KindCase before = feature.kind_case();
  std::string_view text;
  if (value.get_string().get(text) == simdjson::SUCCESS) {
    feature.mutable_bytes_list()->add_value(std::string(text));
  } else if (is_base64_object(value)) {
    MM_ASSIGN_OR_RETURN(std::string bytes, base64_object_bytes(value));
    feature.mutable_bytes_list()->add_value(std::move(bytes));
  } else {
    MM_RETURN_IF_ERROR(add_number(value, name, feature));
  }
  if (before == Feature::KIND_NOT_SET || before == feature.kind_case()) return ok_status();
  return invalid_argument("Unexpected element type in feature: " + name + " expecting type: " +
                          (before == Feature::kBytesList   ? "bytes"
                           : before == Feature::kFloatList ? "float"
                                                           : "int64"));
}

Result<std::string> example_of(dom::element value) {
  dom::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS)
    return invalid_argument("Example must be JSON object but got " + shown_value(value));
  tensorflow::Example example;
  for (const auto& [key, content] : object) {
    const std::string name(key);
    Feature& feature = (*example.mutable_features()->mutable_feature())[name];
    dom::array items;
    if (content.get_array().get(items) != simdjson::SUCCESS) {
      MM_RETURN_IF_ERROR(add_value(content, name, feature));
      continue;
    }
    for (const dom::element item : items) MM_RETURN_IF_ERROR(add_value(item, name, feature));
  }
  return example.SerializeAsString();
}

}  // namespace

Result<Examples> read_json_examples(const Bytes& body, const ModelVersion& version) {
  const ThreadJsonParser parser;
  MM_ASSIGN_OR_RETURN(const dom::object object, read_json_body(*parser, body, nullptr));
  Examples out;
  MM_ASSIGN_OR_RETURN(out.entry, json_signature(object, version));
  dom::element value;
  dom::array list;
  if (object["examples"].get(value) != simdjson::SUCCESS)
    return invalid_argument("When method is classify, key 'examples' is expected and was not found");
  if (value.get_array().get(list) != simdjson::SUCCESS)
    return invalid_argument("Expecting 'examples' value to be an list/array");
  for (const dom::element item : list) {
    MM_ASSIGN_OR_RETURN(std::string example, example_of(item));
    out.texts.push_back(std::move(example));
  }
  if (out.texts.empty()) return invalid_argument("'examples' value is an empty array");
  const size_t count = out.texts.size();
  if (object["context"].get(value) == simdjson::SUCCESS) {
    MM_ASSIGN_OR_RETURN(std::string context, example_of(value));
    out.texts.push_back(std::move(context));
    out.context = out.texts.back();
  }
  out.list.assign(out.texts.begin(), out.texts.begin() + static_cast<std::ptrdiff_t>(count));
  return out;
}

}  // namespace modelmill::tfserving
