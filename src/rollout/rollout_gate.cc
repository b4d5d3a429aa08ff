#include "rollout/rollout_gate.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <utility>

#include "base/duration_text.h"
#include "base/size_text.h"

namespace modelmill {
namespace {

/// "1.5" of "1.5pp"; nullopt: it does not end so, or there is no such number.
std::optional<double> number_before(std::string_view text, std::string_view unit) {
  if (!text.ends_with(unit)) return std::nullopt;
  text.remove_suffix(unit.size());
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Status wrong_gate(std::string_view text, const std::string& why) {
  return invalid_argument(
      "gate '" + std::string(text) + "': " + why +
      "; gates are such as error_rate<=+0.5pp, error_rate<=1%, p99<=1.1x, p99<=50ms, disagreement<=2%, memory<=1.5x or "
      "memory<=2GiB");
}

Result<RolloutGate> error_gate(RolloutGate gate, std::string_view limit) {
  if (limit.starts_with('+')) {
    const auto points = number_before(limit.substr(1), "pp");
    if (!points || !(*points >= 0 && *points < 100))
      return wrong_gate(gate.text,
                        "'" + std::string(limit) + "' is not a number of percentage points from +0pp to +100pp");
    gate.kind = RolloutGate::Kind::kErrorDifference;
    gate.limit = *points / 100;
    return gate;
  }
  const auto percent = number_before(limit, "%");
  if (!percent || !(*percent >= 0 && *percent < 100))
    return wrong_gate(gate.text,
                      "'" + std::string(limit) + "' is neither percentage points (+0.5pp) nor a percentage (1%)");
  gate.kind = RolloutGate::Kind::kErrorLimit;
  gate.limit = *percent / 100;
  return gate;
}

Result<RolloutGate> ratio_gate(RolloutGate gate, RolloutGate::Kind kind, std::string_view limit) {
  const auto ratio = number_before(limit, "x");
  if (!ratio || !(*ratio >= 1 && *ratio <= 100))
    return wrong_gate(gate.text, "'" + std::string(limit) + "' is not a factor from 1x to 100x");
  gate.kind = kind;
  gate.limit = *ratio;
  return gate;
}

Result<RolloutGate> latency_gate(RolloutGate gate, std::string_view limit) {
  if (limit.ends_with('x')) return ratio_gate(std::move(gate), RolloutGate::Kind::kLatencyRatio, limit);
  const auto time = parse_duration(limit);
  if (!time.ok())
    return wrong_gate(gate.text, "'" + std::string(limit) + "' is neither a factor (1.1x) nor a time (50ms)");
  gate.kind = RolloutGate::Kind::kLatencyLimit;
  gate.limit = static_cast<double>(time->count());
  return gate;
}

Result<RolloutGate> memory_gate(RolloutGate gate, std::string_view limit) {
  if (limit.ends_with('x')) return ratio_gate(std::move(gate), RolloutGate::Kind::kMemoryRatio, limit);
  const auto bytes = parse_bytes(limit);
  if (!bytes.ok() || *bytes == 0)
    return wrong_gate(gate.text, "'" + std::string(limit) + "' is neither a factor (1.5x) nor a size (2GiB)");
  gate.kind = RolloutGate::Kind::kMemoryLimit;
  gate.limit = static_cast<double>(*bytes);
  return gate;
}

/// No number of answers proves that none ever differs.
Result<RolloutGate> disagreement_gate(RolloutGate gate, std::string_view limit) {
  const auto percent = number_before(limit, "%");
  if (!percent || !(*percent > 0 && *percent < 100))
    return wrong_gate(gate.text, "'" + std::string(limit) + "' is not a percentage above 0% and below 100%");
  gate.kind = RolloutGate::Kind::kDisagreement;
  gate.limit = *percent / 100;
  return gate;
}

}  // namespace

Result<RolloutGate> parse_gate(std::string_view text) {
  RolloutGate gate;
  std::copy_if(text.begin(), text.end(), std::back_inserter(gate.text), [](char c) { return c != ' '; });
  const std::string_view spaceless = gate.text;
  const size_t sign = spaceless.find("<=");
  if (sign == std::string_view::npos) return wrong_gate(text, "it has no '<='");
  const std::string_view metric = spaceless.substr(0, sign), limit = spaceless.substr(sign + 2);
  if (metric == "error_rate") return error_gate(gate, limit);
  if (metric == "disagreement") return disagreement_gate(gate, limit);
  if (metric == "memory") return memory_gate(gate, limit);
  std::optional<double> percentile;
  if (metric.starts_with('p')) percentile = number_before(metric.substr(1), "");
  if (!percentile)
    return wrong_gate(text,
                      "'" + std::string(metric) +
                          "' is neither error_rate nor disagreement nor memory nor a percentile of latency (p99)");
  const double percent = percentile.value_or(0);
  if (!(percent >= 1 && percent <= 99.99)) return wrong_gate(text, "percentiles are from p1 to p99.99");
  gate.quantile = percent / 100;
  return latency_gate(gate, limit);
}

}  // namespace modelmill
