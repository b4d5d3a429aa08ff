#include "cli/answer_text.h"

#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "base/json_text.h"
#include "tensor/shape.h"

namespace modelmill {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr size_t kRowsShown = 10;
constexpr size_t kValuesShown = 12;
constexpr size_t kLargestShown = 5;

/// Shape by the nesting of the first elements.
Shape shape_of(const element& value) {
  Shape shape;
  element at = value;
  array list;
  while (!at.get(list) && shape.size() < kMaxRank) {
    shape.push_back(static_cast<int64_t>(list.size()));
    if (list.size() == 0) break;
    at = list.at(0);
  }
  return shape;
}

std::string scalar_text(const element& value) {
  double number = 0;
  if (value.is_double() && !value.get(number)) {
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", number);
    return text;
  }
  std::string_view text;
  if (!value.get(text)) {
    std::string quoted;
    append_json_string(quoted, text);
    return quoted;
  }
  return simdjson::minify(value);
}

/// The row's numbers when they are shares: at least three, none negative, summing to 1.
std::vector<double> shares_of(const array& row) {
  std::vector<double> shares;
  double sum = 0;
  for (const element value : row) {
    double number = 0;
    if (!value.is_number() || value.get(number) || number < 0) return {};
    shares.push_back(number);
    sum += number;
  }
  if (shares.size() < 3 || std::abs(sum - 1) > 1e-3) return {};
  return shares;
}

std::string largest_text(const std::vector<double>& shares) {
  std::vector<size_t> order(shares.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  const size_t shown = std::min(kLargestShown, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(shown), order.end(),
                    [&](size_t a, size_t b) { return shares[a] > shares[b]; });
  std::string out = "largest:";
  char text[64];
  for (size_t i = 0; i < shown; ++i) {
    std::snprintf(text, sizeof text, "%s #%zu %.4g%%", i ? "," : "", order[i], shares[order[i]] * 100);
    out += text;
  }
  return out;
}

std::string row_text(const array& row) {
  if (const std::vector<double> shares = shares_of(row); !shares.empty() && shares.size() > kLargestShown) {
    return largest_text(shares);
  }
  std::string out;
  size_t index = 0;
  for (const element value : row) {
    if (index == kValuesShown) return out + " ... (" + std::to_string(row.size() - index) + " more)";
    out += (index++ ? " " : "") + scalar_text(value);
  }
  return out;
}

/// Prints the innermost lists, each a line, until `left` lines are used up.
void append_rows(std::string& out, const element& value, size_t& left) {
  array list;
  if (value.get(list)) {
    out += "  " + scalar_text(value) + "\n";
    return;
  }
  if (list.size() > 0 && list.at(0).is_array()) {
    for (const element inner : list) {
      if (left == 0) return;
      append_rows(out, inner, left);
    }
    return;
  }
  out += "  " + row_text(list) + "\n";
  --left;
}

}  // namespace

Result<std::string> answer_text(std::string_view json, const std::vector<TensorSpec>& outputs) {
  simdjson::dom::parser parser;
  element document;
  object answer;
  if (parser.parse(json.data(), json.size()).get(document) || document.get(answer)) {
    return internal("the answer is no JSON object");
  }
  std::string out;
  for (const auto& [name, value] : answer) {
    std::string type;
    for (const TensorSpec& output : outputs) {
      if (output.name == name) type = std::string(dtype_name(output.dtype)) + " ";
    }
    const Shape shape = shape_of(value);
    out += std::string(name) + "  " + type + shape_text(dims(shape)) + "\n";
    size_t left = kRowsShown;
    append_rows(out, value, left);
    int64_t rows = 1;
    for (size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
    if (rows > static_cast<int64_t>(kRowsShown)) {
      out += "  ... (" + std::to_string(rows - static_cast<int64_t>(kRowsShown)) + " more rows)\n";
    }
  }
  return out;
}

}  // namespace modelmill
