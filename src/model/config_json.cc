#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/json_text.h"
#include "model/triton_config.h"

namespace modelmill {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

void write_message(JsonWriter& json, const Message& message);

void write_float(JsonWriter& json, float value) {
  std::string text;
  append_json_number(text, value);
  json.raw(text);
}

/// One element of a repeated field, or with index -1 a singular one.
void write_value(JsonWriter& json, const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& r = *message.GetReflection();
  const bool many = index >= 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      json.value(static_cast<int64_t>(many ? r.GetRepeatedInt32(message, &field, index) : r.GetInt32(message, &field)));
      break;
    case FieldDescriptor::CPPTYPE_INT64:
      json.value(static_cast<int64_t>(many ? r.GetRepeatedInt64(message, &field, index) : r.GetInt64(message, &field)));
      break;
    case FieldDescriptor::CPPTYPE_UINT32:
      json.value(
          static_cast<uint64_t>(many ? r.GetRepeatedUInt32(message, &field, index) : r.GetUInt32(message, &field)));
      break;
    case FieldDescriptor::CPPTYPE_UINT64:
      json.value(
          static_cast<uint64_t>(many ? r.GetRepeatedUInt64(message, &field, index) : r.GetUInt64(message, &field)));
      break;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      json.value(many ? r.GetRepeatedDouble(message, &field, index) : r.GetDouble(message, &field));
      break;
    case FieldDescriptor::CPPTYPE_FLOAT:
      write_float(json, many ? r.GetRepeatedFloat(message, &field, index) : r.GetFloat(message, &field));
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
      json.value(many ? r.GetRepeatedBool(message, &field, index) : r.GetBool(message, &field));
      break;
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int number = many ? r.GetRepeatedEnumValue(message, &field, index) : r.GetEnumValue(message, &field);
      const auto* value = field.enum_type()->FindValueByNumber(number);
      if (value != nullptr)
        json.value(value->name());
      else
        json.value(number);
      break;
    }
    case FieldDescriptor::CPPTYPE_STRING:
      json.value(many ? r.GetRepeatedString(message, &field, index) : r.GetString(message, &field));
      break;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      write_message(json, many ? r.GetRepeatedMessage(message, &field, index) : r.GetMessage(message, &field));
      break;
  }
}

std::string map_key(const Message& entry, const FieldDescriptor& key) {
  const Reflection& r = *entry.GetReflection();
  return key.cpp_type() == FieldDescriptor::CPPTYPE_STRING ? r.GetString(entry, &key)
                                                           : std::to_string(r.GetUInt64(entry, &key));
}

/// Maps become objects, sorted by key so that the text is always the same.
void write_map(JsonWriter& json, const Message& message, const FieldDescriptor& field) {
  const FieldDescriptor& key = *field.message_type()->map_key();
  const Reflection& r = *message.GetReflection();
  std::vector<std::pair<std::string, int>> order;
  for (int i = 0; i < r.FieldSize(message, &field); ++i)
    order.emplace_back(map_key(r.GetRepeatedMessage(message, &field, i), key), i);
  std::sort(order.begin(), order.end());
  json.begin_object();
  for (const auto& [text, i] : order) {
    json.key(text);
    write_value(json, r.GetRepeatedMessage(message, &field, i), *field.message_type()->map_value(), -1);
  }
  json.end_object();
}

void write_message(JsonWriter& json, const Message& message) {
  const Reflection& r = *message.GetReflection();
  json.begin_object();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message.GetDescriptor()->field(i);
    // Plain fields are always there; messages and alternatives only when they are set.
    const bool optional = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE || field.containing_oneof() != nullptr;
    if (!field.is_repeated() && optional && !r.HasField(message, &field)) continue;
    json.key(field.name());
    if (field.is_map()) {
      write_map(json, message, field);
    } else if (field.is_repeated()) {
      json.begin_array();
      for (int k = 0; k < r.FieldSize(message, &field); ++k) write_value(json, message, field, k);
      json.end_array();
    } else {
      write_value(json, message, field, -1);
    }
  }
  json.end_object();
}

}  // namespace

std::string triton_config_json(const inference::ModelConfig& config) {
  JsonWriter json;
  write_message(json, config);
  return json.take();
}

}  // namespace modelmill
