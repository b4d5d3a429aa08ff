#pragma once

#include <simdjson.h>

#include <cstddef>
#include <set>
#include <string>
#include <vector>

namespace modelmill {

/// What two answers may differ by.
struct ComparisonRules {
  /// Numbers of which one has a fraction: |b - a| <= tolerance + tolerance * |a|. Whole ones must be equal.
  double tolerance = 1e-5;
  /// Places that may differ, with "[*]" for elements: "outputs[*].parameters".
  std::set<std::string> ignored;
};

/// Where two answers differ.
struct AnswerDifference {
  std::string place;     // "outputs[score].data[3]"
  std::string expected;  // what stands there; "nothing"
  std::string got;
};

/// Those that are kept, and how many there are.
struct AnswerDifferences {
  static constexpr size_t kMost = 10;
  std::vector<AnswerDifference> first;
  size_t count = 0;

  void add(AnswerDifference difference) {
    if (first.size() < kMost) first.push_back(std::move(difference));
    ++count;
  }
};

bool are_close(double expected, double got, double tolerance);
/// As short as it can be told apart by.
std::string difference_number(double number);

/// Compares two documents: members of objects by their names, elements of lists by theirs where all of them have a
/// `name`, else in their order.
void compare_json(const simdjson::dom::element& expected, const simdjson::dom::element& got,
                  const ComparisonRules& rules, AnswerDifferences& into);

}  // namespace modelmill
