#include "route/output_distance.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "route/output_values.h"
#include "tensor/float_element.h"

namespace modelmill {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// Of an element of a distribution that the shadow takes for impossible: what is finite can be compared.
constexpr double kLeastProbability = 1e-12;
/// By how much the sum of a distribution may be off 1.
constexpr double kSumSlack = 1e-2;

bool same_number(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

/// The rows that are compared one by one: those of the last dimension.
size_t row_of(const Tensor& tensor) { return tensor.shape.empty() ? 1 : static_cast<size_t>(tensor.shape.back()); }

double unequal_share(const OutputValues& a, const OutputValues& b) {
  const bool as_bytes = a.dtype() == b.dtype() && !is_float(a.dtype());
  size_t unequal = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const bool equal = a.is_text() ? a.text(i) == b.text(i)
                       : as_bytes  ? a.raw(i) == b.raw(i)
                                   : same_number(a.number(i), b.number(i));
    unequal += equal ? 0 : 1;
  }
  return a.size() == 0 ? 0 : static_cast<double>(unequal) / static_cast<double>(a.size());
}

double largest_difference(const OutputValues& a, const OutputValues& b, const OutputComparison& comparison) {
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = a.number(i), y = b.number(i);
    if (same_number(x, y)) continue;
    if (!std::isfinite(x) || !std::isfinite(y)) return kInfinity;
    const double allowed = comparison.absolute + comparison.relative * std::fabs(x);
    worst = std::max(worst, allowed > 0 ? std::fabs(x - y) / allowed : kInfinity);
  }
  return worst;
}

/// Places of the k largest elements of a row, in ascending order; of equal ones those that come first, and NaN last.
std::vector<size_t> largest_of(const OutputValues& values, size_t begin, size_t row, size_t k) {
  std::vector<size_t> places(row);
  std::iota(places.begin(), places.end(), size_t{0});
  const auto value = [&](size_t place) {
    const double number = values.number(begin + place);
    return std::isnan(number) ? -kInfinity : number;
  };
  std::partial_sort(places.begin(), places.begin() + static_cast<ptrdiff_t>(k), places.end(), [&](size_t a, size_t b) {
    const double x = value(a), y = value(b);
    return x != y ? x > y : a < b;
  });
  places.resize(k);
  std::sort(places.begin(), places.end());
  return places;
}

double worst_top_k(const OutputValues& a, const OutputValues& b, size_t row, size_t most) {
  const size_t k = std::min(most, row);
  double worst = 0;
  for (size_t begin = 0; k > 0 && begin + row <= a.size(); begin += row) {
    const std::vector<size_t> x = largest_of(a, begin, row, k), y = largest_of(b, begin, row, k);
    std::vector<size_t> common;
    std::set_intersection(x.begin(), x.end(), y.begin(), y.end(), std::back_inserter(common));
    worst = std::max(worst, static_cast<double>(k - common.size()) / static_cast<double>(k));
  }
  return worst;
}

/// A row as a distribution: scaled to the sum 1, or the softmax of its logits. Empty: it is none.
std::vector<double> distribution_of(const OutputValues& values, size_t begin, size_t row, bool softmax) {
  std::vector<double> p(row);
  double largest = -kInfinity, sum = 0;
  for (size_t i = 0; i < row; ++i) {
    p[i] = values.number(begin + i);
    if (std::isnan(p[i]) || p[i] == kInfinity || (!softmax && !(p[i] >= 0))) return {};
    largest = std::max(largest, p[i]);
  }
  if (softmax && largest == -kInfinity) return {};
  for (double& value : p) {
    if (softmax) value = std::exp(value - largest);
    sum += value;
  }
  if (!softmax && !(std::fabs(sum - 1) <= kSumSlack)) return {};
  for (double& value : p) value /= sum;
  return p;
}

/// Of the worst row; `problem` says when one is no distribution.
double worst_divergence(const OutputValues& a, const OutputValues& b, size_t row, bool softmax, std::string& problem) {
  double worst = 0;
  for (size_t begin = 0; row > 0 && begin + row <= a.size(); begin += row) {
    const std::vector<double> p = distribution_of(a, begin, row, softmax), q = distribution_of(b, begin, row, softmax);
    if (p.empty() || q.empty()) {
      problem = std::string(p.empty() ? "the primary's" : "the shadow's") + " row " + std::to_string(begin / row) +
                (softmax ? " has no softmax" : " is no distribution: its elements are not at least 0 with the sum 1");
      return kInfinity;
    }
    double divergence = 0;
    for (size_t i = 0; i < row; ++i)
      if (p[i] > 0) divergence += p[i] * std::log(p[i] / std::max(q[i], kLeastProbability));
    worst = std::max(worst, divergence);
  }
  return worst;
}

std::string why_not_comparable(const Tensor& primary, const Tensor& shadow, ComparisonKind kind) {
  if ((primary.dtype == DataType::kBytes) != (shadow.dtype == DataType::kBytes))
    return "the shadow's type is " + std::string(dtype_name(shadow.dtype)) + ", the primary's " +
           std::string(dtype_name(primary.dtype));
  if (primary.shape != shadow.shape)
    return "the shadow's shape is " + shape_text(dims(shadow.shape)) + ", the primary's " +
           shape_text(dims(primary.shape));
  if (primary.dtype == DataType::kBytes && kind != ComparisonKind::kEqual)
    return std::string("texts are compared by equal, not by ") + comparison_kind_name(kind);
  return "";
}

}  // namespace

double OutputDistance::excess() const { return limit > 0 ? distance / limit : distance > 0 ? 1 + distance : 0; }

OutputDistance output_distance(const Tensor& primary, const Tensor& shadow, const OutputComparison& comparison) {
  OutputDistance out{primary.name, comparison.kind, 0, 0, why_not_comparable(primary, shadow, comparison.kind)};
  if (comparison.kind == ComparisonKind::kTolerance) out.limit = 1;
  if (comparison.kind == ComparisonKind::kDistribution) out.limit = comparison.threshold;
  const OutputValues a(primary), b(shadow);
  if (out.problem.empty() && a.size() != b.size()) out.problem = "their bytes do not fit their shapes";
  if (!out.problem.empty()) {
    out.distance = kInfinity;
    return out;
  }
  const size_t row = row_of(primary);
  switch (comparison.kind) {
    case ComparisonKind::kFunction: break;
    case ComparisonKind::kEqual: out.distance = unequal_share(a, b); break;
    case ComparisonKind::kTolerance: out.distance = largest_difference(a, b, comparison); break;
    case ComparisonKind::kTopK: out.distance = worst_top_k(a, b, row, static_cast<size_t>(comparison.k)); break;
    case ComparisonKind::kDistribution:
      out.distance = worst_divergence(a, b, row, comparison.softmax, out.problem);
      break;
  }
  return out;
}

OutputDistance answer_distance(std::span<const Tensor> primary, std::span<const Tensor> shadow,
                               const std::map<std::string, OutputComparison>& comparisons) {
  OutputDistance worst;
  bool first = true;
  for (const Tensor& tensor : primary) {
    auto named = comparisons.find(tensor.name);
    if (named == comparisons.end()) named = comparisons.find("*");
    const auto same =
        std::find_if(shadow.begin(), shadow.end(), [&](const Tensor& t) { return t.name == tensor.name; });
    if (named != comparisons.end() && named->second.kind == ComparisonKind::kFunction && same != shadow.end()) continue;
    OutputComparison comparison;
    if (named != comparisons.end())
      comparison = named->second;
    else  // of two types the coarser one decides
      comparison = std::max(default_comparison(tensor.dtype),
                            default_comparison(same == shadow.end() ? tensor.dtype : same->dtype),
                            [](const auto& a, const auto& b) { return a.relative < b.relative; });
    OutputDistance distance =
        same == shadow.end() ? OutputDistance{tensor.name, comparison.kind, kInfinity, 0, "the shadow does not have it"}
                             : output_distance(tensor, *same, comparison);
    if (first || distance.excess() > worst.excess()) worst = std::move(distance);
    first = false;
  }
  return worst;
}

}  // namespace modelmill
