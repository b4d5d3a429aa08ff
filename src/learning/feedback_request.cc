#include "learning/feedback_request.h"

#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/stable_hash.h"
#include "model/spelling.h"

namespace modelmill {
namespace {

using simdjson::dom::element;

constexpr int kMostDepth = 32;
constexpr double kLargestWeight = 1e12;
const std::vector<std::string> kKeys{"id", "label"};

Status unknown_key(std::string_view key) {
  const std::string meant = nearest(key, kKeys);
  return invalid_argument("unknown key '" + std::string(key) + "'" +
                          (meant.empty() ? "" : "; did you mean '" + meant + "'?"));
}

/// Lists of any depth are one after the other, as tensors are.
Status add_label(const element& value, int depth, Label& into) {
  Status wrong =
      invalid_argument("'label' must be a number, a text, true or false, or a list of them, one for each element");
  simdjson::dom::array list;
  if (value.get(list) == simdjson::SUCCESS) {
    if (depth == kMostDepth) return wrong;
    for (const element one : list) MM_RETURN_IF_ERROR(add_label(one, depth + 1, into));
    return ok_status();
  }
  bool flag = false;
  int64_t whole = 0;
  uint64_t large = 0;
  double real = 0;
  std::string_view text;
  if (value.get(flag) == simdjson::SUCCESS)
    into.emplace_back(int64_t{flag});
  else if (value.get(whole) == simdjson::SUCCESS)
    into.emplace_back(whole);
  else if (value.get(large) == simdjson::SUCCESS)
    into.emplace_back(static_cast<int64_t>(large));
  else if (value.get(real) == simdjson::SUCCESS)
    into.emplace_back(real);
  else if (value.get(text) == simdjson::SUCCESS)
    into.emplace_back(std::string(text));
  else
    return wrong;
  return ok_status();
}

Result<Feedback> feedback_in(const element& item) {
  simdjson::dom::object object;
  if (item.get(object) != simdjson::SUCCESS)
    return invalid_argument("it must be a JSON object such as {\"id\":\"r-17\",\"label\":3}");
  Feedback out;
  for (const auto& [key, value] : object) {
    std::string_view text;
    if (key == "label") {
      MM_RETURN_IF_ERROR(add_label(value, 0, out.label));
    } else if (key != "id") {
      return unknown_key(key);
    } else if (value.get(text) == simdjson::SUCCESS) {
      out.id = text;
    } else if (value.is_int64() || value.is_uint64()) {
      out.id = simdjson::minify(value);
    } else {
      return invalid_argument("'id' must be a text that is not empty, or a whole number");
    }
  }
  if (out.id.empty()) return invalid_argument("it needs 'id', the id of the request that it is about");
  if (out.label.empty()) return invalid_argument("it needs 'label', what would have been right");
  out.hash = stable_hash(out.id);
  return out;
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

}  // namespace

Result<std::vector<Feedback>> parse_feedback(std::string_view json) {
  simdjson::dom::parser parser;
  element document, inner;
  if (parser.parse(json.data(), json.size()).get(document) != simdjson::SUCCESS)
    return invalid_argument("feedback must be JSON: one object, a list of them, or {\"feedback\": [...]}");
  if (document.is_object() && document["feedback"].get(inner) == simdjson::SUCCESS) document = inner;
  std::vector<Feedback> all;
  simdjson::dom::array list;
  if (document.get(list) != simdjson::SUCCESS) {
    MM_ASSIGN_OR_RETURN(all.emplace_back(), feedback_in(document));
    return all;
  }
  for (const element item : list) {
    if (all.size() == kMostFeedback)
      return invalid_argument(std::to_string(kMostFeedback) +
                              " are the most at once; send the rest of the feedback after them");
    auto one = feedback_in(item);
    if (!one.ok()) return one.status().with_context("feedback " + std::to_string(all.size() + 1) + " of the list");
    all.push_back(*std::move(one));
  }
  return all;
}

Result<std::vector<double>> parse_weights(std::string_view json, const std::vector<std::string>& members) {
  simdjson::dom::parser parser;
  simdjson::dom::object document, weights;
  if (parser.parse(json.data(), json.size()).get(document) != simdjson::SUCCESS ||
      document["weights"].get(weights) != simdjson::SUCCESS || document.size() != 1)
    return invalid_argument("weights must be JSON such as {\"weights\": {\"forest\": 0.6, \"net\": 0.4}}");
  std::vector<std::optional<double>> found(members.size());
  for (const auto& [key, value] : weights) {
    const auto member = std::find(members.begin(), members.end(), key);
    if (member == members.end())
      return invalid_argument("'" + std::string(key) + "' is none of its members: " + listed(members));
    double weight = 0;
    if (value.get(weight) != simdjson::SUCCESS || !(weight >= 0 && weight <= kLargestWeight))
      return invalid_argument("the weight of '" + std::string(key) + "' must be a number from 0 to 1e12");
    found[static_cast<size_t>(member - members.begin())] = weight;
  }
  std::vector<double> out;
  double sum = 0;
  for (size_t i = 0; i < members.size(); ++i) {
    if (!found[i]) return invalid_argument("the weight of '" + members[i] + "' is missing; give those of all members");
    out.push_back(*found[i]);
    sum += out.back();
  }
  if (sum <= 0) return invalid_argument("one of the weights must be above 0");
  for (double& weight : out) weight /= sum;
  return out;
}

}  // namespace modelmill
