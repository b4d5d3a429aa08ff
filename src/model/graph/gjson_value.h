#pragma once

#include <simdjson.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace modelmill::gjson {

/// What a path led to: a value of the document, one made of such, or nothing. Lives no longer than the document.
class Value {
 public:
  enum class Kind : uint8_t { kNothing, kNull, kFalse, kTrue, kNumber, kText, kArray, kObject };
  using Members = std::vector<std::pair<std::string, Value>>;  // of an array without names

  Value() = default;
  explicit Value(simdjson::dom::element element);
  static Value count(size_t items);
  static Value made(bool object, Members members);

  Kind kind() const { return kind_; }
  bool exists() const { return kind_ != Kind::kNothing; }
  bool is_json() const { return kind_ == Kind::kArray || kind_ == Kind::kObject; }
  double as_number() const { return number_; }
  std::string_view as_text() const { return text_; }

  /// Gives `take` the items of an array, or of an object the members, until it returns false.
  template <typename Take>
  void each(Take take) const {
    if (made_) {
      for (const auto& [name, value] : *made_)
        if (!take(std::string_view(name), value)) return;
    } else if (kind_ == Kind::kArray) {
      for (const simdjson::dom::element item : simdjson::dom::array(element_))
        if (!take(std::string_view(), Value(item))) return;
    } else if (kind_ == Kind::kObject) {
      for (const auto member : simdjson::dom::object(element_))
        if (!take(member.key, Value(member.value))) return;
    }
  }

  void write(std::string& out) const;

 private:
  Kind kind_ = Kind::kNothing;
  bool of_document_ = false;
  simdjson::dom::element element_;
  std::shared_ptr<const Members> made_;  // null: an element of the document, or a made scalar
  double number_ = 0;
  std::string_view text_;
};

}  // namespace modelmill::gjson
