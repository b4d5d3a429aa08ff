#pragma once

#include <simdjson.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace modelmill {

/// Reads fields of an object in a kept document one after the other, and remembers whether all were as they must be.
class KeptFields {
 public:
  using element = simdjson::dom::element;

  explicit KeptFields(const element& object) : object_(object) {}

  template <typename T>
  void read(const char* name, T& into) {
    ok_ = ok_ && object_[name].get(into) == simdjson::SUCCESS;
  }
  void read(const char* name, std::string& into) {
    std::string_view text;
    read(name, text);
    into = text;
  }
  /// What `parse` makes of a text.
  template <typename T, typename Parse>
  void read(const char* name, T& into, Parse parse) {
    std::string_view text;
    read(name, text);
    if (!ok_) return;
    auto parsed = parse(text);
    ok_ = parsed.ok();
    if (ok_) into = *std::move(parsed);
  }
  void read_index(const char* name, size_t below, size_t& into) {
    uint64_t index = 0;
    read(name, index);
    ok_ = ok_ && index < below;
    into = index;
  }
  /// The one of `all` that has that name.
  template <typename T, size_t N>
  void read_named(const char* name, const T (&all)[N], const char* (*name_of)(T), T& into) {
    std::string text;
    read(name, text);
    const auto* const known = std::find_if(std::begin(all), std::end(all), [&](T one) { return text == name_of(one); });
    ok_ = ok_ && known != std::end(all);
    if (ok_) into = *known;
  }
  element at(const char* name) {
    element value;
    read(name, value);
    return value;
  }
  /// nullopt: it is not there, as in what was written before there was such a field.
  std::optional<element> find(const char* name) const {
    element value;
    return object_[name].get(value) == simdjson::SUCCESS ? std::optional(value) : std::nullopt;
  }
  void require(bool ok) { ok_ = ok_ && ok; }
  bool ok() const { return ok_; }

 private:
  const element object_;
  bool ok_ = true;
};

}  // namespace modelmill
