#include "model/graph/gjson_value.h"

#include <utility>

#include "base/json_text.h"

namespace modelmill::gjson {

namespace dom = simdjson::dom;

Value::Value(dom::element element) : of_document_(true), element_(element) {
  switch (element.type()) {
    case dom::element_type::ARRAY: kind_ = Kind::kArray; break;
    case dom::element_type::OBJECT: kind_ = Kind::kObject; break;
    case dom::element_type::NULL_VALUE: kind_ = Kind::kNull; break;
    case dom::element_type::BOOL: kind_ = bool(element) ? Kind::kTrue : Kind::kFalse; break;
    case dom::element_type::STRING:
      kind_ = Kind::kText;
      text_ = std::string_view(element);
      break;
    default: kind_ = Kind::kNumber; number_ = double(element);
  }
}

Value Value::count(size_t items) {
  Value out;
  out.kind_ = Kind::kNumber;
  out.number_ = static_cast<double>(items);
  return out;
}

Value Value::made(bool object, Members members) {
  Value out;
  out.kind_ = object ? Kind::kObject : Kind::kArray;
  out.made_ = std::make_shared<const Members>(std::move(members));
  return out;
}

void Value::write(std::string& out) const {
  if (of_document_) {
    out += simdjson::minify(element_);
    return;
  }
  if (kind_ == Kind::kNumber) return append_json_number(out, static_cast<uint64_t>(number_));
  if (!is_json()) return;
  const bool object = kind_ == Kind::kObject;
  bool first = true;
  out += object ? '{' : '[';
  each([&](std::string_view name, const Value& value) {
    if (!std::exchange(first, false)) out += ',';
    if (object) {
      append_json_string(out, name);
      out += ':';
    }
    value.write(out);
    return true;
  });
  out += object ? '}' : ']';
}

}  // namespace modelmill::gjson
