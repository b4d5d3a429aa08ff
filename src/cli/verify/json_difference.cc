#include "cli/verify/json_difference.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

namespace modelmill {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;
using Type = simdjson::dom::element_type;

constexpr const char* kNothing = "nothing";

/// Where a value stands: for people, and as rules name it.
struct Place {
  std::string path;
  std::string rule;

  Place member(std::string_view name) const {
    const auto with = [name](const std::string& above) {
      return above.empty() ? std::string(name) : above + "." + std::string(name);
    };
    return {with(path), with(rule)};
  }
  Place item(const std::string& which) const { return {path + "[" + which + "]", rule + "[*]"}; }
};

bool is_whole(const element& value) { return value.type() == Type::INT64 || value.type() == Type::UINT64; }
bool is_number(const element& value) { return is_whole(value) || value.type() == Type::DOUBLE; }

std::string value_text(const element& value) {
  constexpr size_t kLongest = 120;
  if (value.type() == Type::DOUBLE) return difference_number(double(value));
  std::string text = simdjson::minify(value);
  return text.size() > kLongest ? text.substr(0, kLongest) + "..." : text;
}

/// The elements by their names; nothing when one has none, or two have the same.
std::optional<std::map<std::string, element>> by_name(const array& list) {
  std::map<std::string, element> out;
  for (const element value : list) {
    std::string_view name;
    if (!value.is_object() || value["name"].get(name) || !out.emplace(name, value).second) return std::nullopt;
  }
  return out;
}

std::map<std::string, element> members_of(const object& value) {
  std::map<std::string, element> out;
  for (const auto& [key, member] : value) out.emplace(key, member);
  return out;
}

class Comparison {
 public:
  Comparison(const ComparisonRules& rules, AnswerDifferences& into) : rules_(rules), into_(into) {}

  void compare(const element& expected, const element& got, const Place& place) {
    if (rules_.ignored.contains(place.rule)) return;
    if (is_number(expected) && is_number(got)) return compare_numbers(expected, got, place);
    if (expected.type() != got.type()) return differ(place, value_text(expected), value_text(got));
    if (expected.is_object())
      return compare_named(members_of(expected), members_of(got),
                           [&](const std::string& name) { return place.member(name); });
    if (expected.is_array()) return compare_lists(expected, got, place);
    if (simdjson::minify(expected) != simdjson::minify(got)) differ(place, value_text(expected), value_text(got));
  }

 private:
  void differ(const Place& place, std::string expected, std::string got) {
    into_.add({place.path.empty() ? "body" : place.path, std::move(expected), std::move(got)});
  }

  void compare_numbers(const element& expected, const element& got, const Place& place) {
    const bool same = is_whole(expected) && is_whole(got)
                          ? simdjson::minify(expected) == simdjson::minify(got)
                          : are_close(number_of(expected), number_of(got), rules_.tolerance);
    if (!same) differ(place, value_text(expected), value_text(got));
  }

  static double number_of(const element& value) {
    if (value.type() == Type::INT64) return static_cast<double>(int64_t(value));
    if (value.type() == Type::UINT64) return static_cast<double>(uint64_t(value));
    return double(value);
  }

  template <typename PlaceOf>
  void compare_named(const std::map<std::string, element>& expected, const std::map<std::string, element>& got,
                     const PlaceOf& place_of) {
    for (const auto& [name, value] : expected) {
      const Place place = place_of(name);
      if (const auto other = got.find(name); other != got.end())
        compare(value, other->second, place);
      else if (!rules_.ignored.contains(place.rule))
        differ(place, value_text(value), kNothing);
    }
    for (const auto& [name, value] : got)
      if (const Place place = place_of(name); !expected.contains(name) && !rules_.ignored.contains(place.rule))
        differ(place, kNothing, value_text(value));
  }

  void compare_lists(const array& expected, const array& got, const Place& place) {
    const auto names = by_name(expected), other_names = by_name(got);
    if (names && other_names && !names->empty() && !other_names->empty())
      return compare_named(*names, *other_names, [&](const std::string& name) { return place.item(name); });
    // Not size(), which stops counting at 2^24 - 1.
    size_t i = 0;
    auto left = expected.begin(), right = got.begin();
    for (; left != expected.end() && right != got.end(); ++left, ++right, ++i)
      compare(*left, *right, place.item(std::to_string(i)));
    size_t lefts = i, rights = i;
    for (; left != expected.end(); ++left) ++lefts;
    for (; right != got.end(); ++right) ++rights;
    if (lefts != rights) differ(place, std::to_string(lefts) + " elements", std::to_string(rights) + " elements");
  }

  const ComparisonRules& rules_;
  AnswerDifferences& into_;
};

}  // namespace

bool are_close(double expected, double got, double tolerance) {
  if (expected == got || (std::isnan(expected) && std::isnan(got))) return true;
  return std::abs(got - expected) <= tolerance + tolerance * std::abs(expected);
}

std::string difference_number(double number) {
  constexpr double kWhole = 1e15;  // above it the digits of a double are no longer all its own
  char text[40];
  const bool whole = std::abs(number) < kWhole && number == std::trunc(number);
  const auto end = whole ? std::to_chars(text, text + sizeof text, static_cast<int64_t>(number))
                         : std::to_chars(text, text + sizeof text, number);
  return {text, end.ptr};
}

void compare_json(const element& expected, const element& got, const ComparisonRules& rules, AnswerDifferences& into) {
  Comparison(rules, into).compare(expected, got, {});
}

}  // namespace modelmill
