#include "model/text_proto.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <utility>

#include "model/spelling.h"
#include "model_config.pb.h"

namespace modelmill {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::TextFormat;

struct TextError {
  int line = 0;
  int column = 0;
  std::string message;
};

class Errors final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    errors.push_back({line, column, message});
  }
  void AddWarning(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    AddError(line, column, message);
  }

  std::vector<TextError> errors;
};

/// The text between the n-th pair of double quotes (0-based), or empty.
std::string quoted(const std::string& message, int n) {
  size_t from = 0;
  for (;; --n) {
    const size_t open = message.find('"', from);
    const size_t close = open == std::string::npos ? open : message.find('"', open + 1);
    if (close == std::string::npos) return {};
    if (n == 0) return message.substr(open + 1, close - open - 1);
    from = close + 1;
  }
}

/// What people who know other tools write for a field.
std::string alias_of(const std::string& name) {
  static const std::map<std::string, std::string> aliases{{"shape", "dims"},
                                                          {"dimensions", "dims"},
                                                          {"dtype", "data_type"},
                                                          {"type", "data_type"},
                                                          {"datatype", "data_type"},
                                                          {"instances", "instance_group"},
                                                          {"batch_size", "max_batch_size"},
                                                          {"labels", "label_filename"},
                                                          {"filename", "default_model_filename"}};
  const auto it = aliases.find(name);
  return it == aliases.end() ? std::string() : it->second;
}

/// "dynamic_batching.default_queue_policy" for a field that exists deeper than where it was written; empty when
/// unknown.
std::string home_of(const Descriptor& root, const std::string& name, const std::string& path = {}, int depth = 3) {
  for (int i = 0; depth > 0 && i < root.field_count(); ++i) {
    const FieldDescriptor& field = *root.field(i);
    if (field.message_type() == nullptr || field.is_map()) continue;
    std::string here = path.empty() ? field.name() : path + '.' + field.name();
    if (field.message_type()->FindFieldByName(name) != nullptr) return here;
    if (std::string deeper = home_of(*field.message_type(), name, here, depth - 1); !deeper.empty()) return deeper;
  }
  return {};
}

std::string explain_unknown_field(const Descriptor& root, const std::string& message) {
  const auto* pool = root.file()->pool();
  const Descriptor* type = pool->FindMessageTypeByName(quoted(message, 0));
  const std::string name = quoted(message, 1);
  if (type == nullptr || name.empty()) return message;
  std::string out = "unknown field '" + name + "' in " + type->name();
  std::vector<std::string> fields;
  for (int i = 0; i < type->field_count(); ++i) fields.push_back(type->field(i)->name());
  std::string meant = alias_of(name);
  if (std::find(fields.begin(), fields.end(), meant) == fields.end()) meant = nearest(name, fields);
  if (!meant.empty()) return out + "; did you mean '" + meant + "'?";
  if (const std::string home = home_of(root, name); !home.empty()) return out + "; it belongs in " + home;
  if (root.FindFieldByName(name) != nullptr) return out + "; it belongs at the top of the file";
  return out + "; remove it";
}

const EnumDescriptor* enum_of_field(const Descriptor& root, const std::string& name, int depth = 4) {
  for (int i = 0; i < root.field_count(); ++i)
    if (root.field(i)->name() == name && root.field(i)->enum_type() != nullptr) return root.field(i)->enum_type();
  for (int i = 0; depth > 0 && i < root.field_count(); ++i)
    if (root.field(i)->message_type() != nullptr)
      if (const auto* found = enum_of_field(*root.field(i)->message_type(), name, depth - 1)) return found;
  return nullptr;
}

/// `kind` is the name of several enums; the values tell which one was meant.
std::vector<std::string> values_for(const Descriptor& root, const std::string& field) {
  std::vector<std::string> values;
  const EnumDescriptor* type = enum_of_field(root, field);
  if (field == "kind") type = inference::ModelInstanceGroup::Kind_descriptor();
  if (type == nullptr) return values;
  for (int i = 0; i < type->value_count(); ++i)
    if (type->value(i)->name() != "TYPE_INVALID") values.push_back(type->value(i)->name());
  return values;
}

std::string explain_unknown_value(const Descriptor& root, const std::string& message) {
  static const std::map<std::string, std::string> aliases{
      {"FLOAT", "TYPE_FP32"}, {"FLOAT32", "TYPE_FP32"}, {"FLOAT64", "TYPE_FP64"},  {"DOUBLE", "TYPE_FP64"},
      {"HALF", "TYPE_FP16"},  {"FLOAT16", "TYPE_FP16"}, {"BFLOAT16", "TYPE_BF16"}, {"BYTES", "TYPE_STRING"},
      {"INT", "TYPE_INT32"},  {"LONG", "TYPE_INT64"},   {"BOOLEAN", "TYPE_BOOL"},  {"BYTE", "TYPE_UINT8"}};
  const std::string value = quoted(message, 0);
  const std::string field = quoted(message, 1);
  const std::vector<std::string> values = values_for(root, field);
  if (value.empty() || values.empty()) return message;
  std::string out = "unknown value '" + value + "' for field '" + field + "'";
  std::string bare = value.starts_with("TYPE_") ? value.substr(5) : value;
  for (char& c : bare) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  std::string meant;
  if (const auto it = aliases.find(bare); field == "data_type" && it != aliases.end()) meant = it->second;
  if (meant.empty() && std::find(values.begin(), values.end(), "TYPE_" + bare) != values.end()) meant = "TYPE_" + bare;
  if (meant.empty()) meant = nearest(value, values);
  if (!meant.empty()) return out + "; did you mean " + meant + "?";
  out += "; it can be ";
  for (size_t i = 0; i < values.size(); ++i) out += (i == 0 ? "" : ", ") + values[i];
  return out;
}

std::string explain(const Descriptor& root, const std::string& message) {
  if (message.find("has no field named") != std::string::npos) return explain_unknown_field(root, message);
  if (message.starts_with("Unknown enumeration value")) return explain_unknown_value(root, message);
  return message;
}

/// Offset of the first byte that is not UTF-8, or npos.
size_t find_bad_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    const size_t length = c < 0x80                ? 1
                          : c >= 0xC2 && c < 0xE0 ? 2
                          : c >= 0xE0 && c < 0xF0 ? 3
                          : c >= 0xF0 && c < 0xF5 ? 4
                                                  : 0;
    if (length == 0 || i + length > text.size()) return i;
    uint32_t code = length == 1 ? c : c & (0xFFu >> (length + 1));
    for (size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xC0) != 0x80) return i;
      code = code << 6 | (next & 0x3F);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    if (overlong || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return i;
    i += length;
  }
  return std::string_view::npos;
}

/// The parser notices an unknown name when it has read past it; this is where the name itself is.
int column_of_name(std::string_view text, const TextError& error) {
  const int column = std::max(error.column, 0);
  const bool unknown_field = error.message.find("has no field named") != std::string::npos;
  const std::string name = quoted(error.message, unknown_field ? 1 : 0);
  for (int line = 0; line < error.line; ++line) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  text = text.substr(0, std::min(text.find('\n'), static_cast<size_t>(column)));
  const size_t at = name.empty() ? std::string_view::npos : text.rfind(name);
  return at == std::string_view::npos ? column : static_cast<int>(at);
}

/// What is wrong with `text`, in its order. Told to, the parser passes over names that it doesn't know, and so comes to
/// what else is wrong.
std::vector<TextError> errors_of(const std::string& text, google::protobuf::Message& into,
                                 TextFormat::ParseInfoTree* places, bool pass_over_unknown) {
  Errors errors;
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  parser.WriteLocationsTo(places);
  parser.AllowUnknownField(pass_over_unknown);
  if (!parser.ParseFromString(text, &into) && errors.errors.empty())
    errors.errors.push_back({0, 0, "not the text form of " + into.GetDescriptor()->name()});
  return std::move(errors.errors);
}

}  // namespace

std::string text_place(const std::string& file, int line, int column) {
  return file + ':' + std::to_string(line + 1) + ':' + std::to_string(column + 1);
}

std::vector<ConfigProblem> parse_text_proto(std::string_view text, const std::string& file,
                                            google::protobuf::Message& into, TextFormat::ParseInfoTree* places) {
  if (const size_t bad = find_bad_utf8(text); bad != std::string_view::npos) {
    const std::string_view before = text.substr(0, bad);
    const int line = static_cast<int>(std::count(before.begin(), before.end(), '\n'));
    const size_t start = before.rfind('\n') + 1;  // npos + 1 is 0
    return {{Code::kInvalidArgument, text_place(file, line, static_cast<int>(bad - start)),
             "not UTF-8 text; save the file as UTF-8"}};
  }
  const std::string whole(text);
  std::vector<TextError> errors = errors_of(whole, into, places, false);
  if (errors.empty()) return {};
  errors.resize(1);
  const std::unique_ptr<google::protobuf::Message> scratch(into.New());
  for (TextError& error : errors_of(whole, *scratch, nullptr, true)) {
    const TextError& first = errors.front();
    if (error.line != first.line || error.column != first.column) errors.push_back(std::move(error));
  }
  std::vector<ConfigProblem> problems;
  for (const TextError& error : errors)
    problems.push_back({Code::kInvalidArgument, text_place(file, std::max(error.line, 0), column_of_name(text, error)),
                        explain(*into.GetDescriptor(), error.message)});
  return problems;
}

bool parse_known_text_proto(std::string_view text, google::protobuf::Message& into, TextFormat::ParseInfoTree* places) {
  if (find_bad_utf8(text) != std::string_view::npos) return false;
  Errors unknown;
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&unknown);
  parser.WriteLocationsTo(places);
  parser.AllowUnknownField(true);
  return parser.ParseFromString(std::string(text), &into);
}

}  // namespace modelmill
