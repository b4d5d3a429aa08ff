#include "rollout/rollout_decision.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/size_text.h"
#include "rollout/anytime_tests.h"

namespace modelmill {
namespace {

std::string rate_text(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f%%", share * 100);
  return text;
}

std::string time_text(double us) {
  char text[32];
  std::snprintf(text, sizeof text,
                us < 100   ? "%.1f us"
                : us < 1e5 ? "%.2f ms"
                           : "%.2f s",
                us < 100   ? us
                : us < 1e5 ? us / 1e3
                           : us / 1e6);
  return text;
}

Tally errors_of(const ArmCounts& counts) { return {counts.requests, counts.errors}; }

double share(const ArmCounts& counts) {
  return counts.requests == 0 ? 0 : static_cast<double>(counts.errors) / static_cast<double>(counts.requests);
}

std::string versus(const GateReading& reading, std::string (*text)(double)) {
  return "canary " + text(reading.canary) + ", baseline " + text(reading.baseline);
}

/// How much evidence it takes: to breach, with what all gates at all steps may be wrong together; to prove, with what
/// one may be, since all must be proven.
struct Thresholds {
  double breach, proof;
};

Thresholds thresholds_of(const RolloutPlan& plan) {
  const auto tests = static_cast<double>(plan.gates.size() * plan.steps.size());
  return {std::log(tests / kRolloutError), std::log(1 / kRolloutError)};
}

/// Readers may see a disagreement before the comparison that it is of.
Tally pairs_of(const CopyCounts& copies) { return {copies.compared, std::min(copies.compared, copies.disagreed)}; }

void read_disagreement(const RolloutGate& gate, const RolloutWindow& window, const Thresholds& thresholds,
                       GateReading& into) {
  const Tally pairs = pairs_of(window.copies);
  if (pairs.trials > 0) into.canary = static_cast<double>(pairs.hits) / static_cast<double>(pairs.trials);
  into.breached = evidence_share_is_above(pairs, gate.limit) > thresholds.breach;
  into.proven = evidence_share_is_below(pairs, gate.limit) > thresholds.proof;
  into.text = rate_text(into.canary) + " of " + std::to_string(pairs.trials) + " answers that were compared";
}

void read_error_gate(const RolloutGate& gate, const RolloutWindow& window, const Thresholds& thresholds,
                     GateReading& into) {
  const Tally canary = errors_of(window.canary), baseline = errors_of(window.baseline);
  into.canary = share(window.canary);
  if (gate.kind == RolloutGate::Kind::kErrorLimit) {
    into.breached = evidence_share_is_above(canary, gate.limit) > thresholds.breach;
    into.proven = evidence_share_is_below(canary, gate.limit) > thresholds.proof;
    into.text = "canary " + rate_text(into.canary);
    return;
  }
  into.baseline = share(window.baseline);
  into.breached = evidence_share_is_above(canary, baseline, gate.limit) > thresholds.breach;
  into.proven = evidence_share_is_below(canary, baseline, gate.limit) > thresholds.proof;
  into.text = versus(into, rate_text);
}

/// A small arm forms other batches than a large one, so that its latencies differ though it computes as fast: what is
/// slower end to end counts only if it is slower at equal batch sizes too.
void read_latency_ratio(const RolloutGate& gate, const RolloutWindow& window, const Thresholds& thresholds,
                        GateReading& into) {
  const LatencyCounts &canary = window.canary.latency, &baseline = window.baseline.latency;
  into.baseline = quantile_us(baseline, gate.quantile);
  into.text = versus(into, time_text);
  into.proven = evidence_quantile_is_below(canary, baseline, gate.quantile, gate.limit) > thresholds.proof;
  const bool slower = evidence_quantile_is_above(canary, baseline, gate.quantile, gate.limit) > thresholds.breach;
  const ComputeComparison compute = compare_compute(window, gate.quantile);
  if (compute.baseline_us <= 0) {
    into.breached = slower;
    return;
  }
  into.text += "; computing at equal batch sizes: canary " + time_text(compute.canary_us) + ", baseline " +
               time_text(compute.baseline_us);
  const bool computes_slower = compute.canary_us > gate.limit * compute.baseline_us;
  into.breached = slower && computes_slower;
  // End to end it will not be as fast with so small an arm, and that is not the version's fault.
  into.proven = into.proven || (slower && !computes_slower);
}

/// No sample, so nothing is left to chance: what was seen is what it took.
void read_memory(const RolloutGate& gate, const RolloutWindow& window, GateReading& into) {
  const bool of_both = gate.kind == RolloutGate::Kind::kMemoryRatio;
  const uint64_t canary = window.canary.memory_bytes, baseline = window.baseline.memory_bytes;
  into.canary = static_cast<double>(canary);
  if (of_both) into.baseline = static_cast<double>(baseline);
  if (canary == 0 || (of_both && baseline == 0)) {
    into.text = std::string("the memory of the ") + (canary == 0 ? "canary" : "baseline") +
                " is not known; Python models tell theirs, what runs within the server has none of its own";
    return;
  }
  into.breached = into.canary > gate.limit * (of_both ? into.baseline : 1);
  into.proven = !into.breached;
  into.text = "canary " + bytes_text(canary) + (of_both ? ", baseline " + bytes_text(baseline) : "");
}

GateReading read_gate(const RolloutGate& gate, bool of_shadow, const RolloutWindow& window,
                      const Thresholds& thresholds) {
  GateReading out;
  out.gate = gate.text;
  if (gate.kind == RolloutGate::Kind::kDisagreement) {
    read_disagreement(gate, window, thresholds, out);
    return out;
  }
  if (gate.is_of_memory()) {
    read_memory(gate, window, out);
    return out;
  }
  if (gate.kind == RolloutGate::Kind::kErrorDifference || gate.kind == RolloutGate::Kind::kErrorLimit) {
    read_error_gate(gate, window, thresholds, out);
    return out;
  }
  out.canary = quantile_us(window.canary.latency, gate.quantile);
  if (gate.kind == RolloutGate::Kind::kLatencyRatio) {
    read_latency_ratio(gate, window, thresholds, out);
    return out;
  }
  out.breached = evidence_quantile_is_above(window.canary.latency, gate.quantile, gate.limit) > thresholds.breach;
  out.proven = evidence_quantile_is_below(window.canary.latency, gate.quantile, gate.limit) > thresholds.proof;
  out.text = std::string(of_shadow ? "computing of the canary " : "canary ") + time_text(out.canary);
  return out;
}

/// What a step is about.
struct StepAim {
  bool of_shadow = false;
  bool compares = false;  // with a baseline that has traffic
  bool proves = false;    // every gate
  bool pairs = false;     // answers of both sides, for a gate

  bool reads(const RolloutGate& gate) const {
    if (of_shadow) return gate.kind != RolloutGate::Kind::kLatencyRatio;
    return compares || !gate.compares();
  }
};

StepAim aim_of(const RolloutPlan& plan, size_t step) {
  const bool of_shadow = plan.steps[step].is_shadow, compares = step < plan.comparing_steps();
  return {of_shadow, compares, step + 1 == plan.comparing_steps(), compares && plan.limits_disagreement()};
}

std::string counts_text(const StepAim& aim, const RolloutWindow& window) {
  const std::string baseline = " and baseline " + std::to_string(window.baseline.requests) + " requests";
  return "canary " + std::to_string(window.canary.requests) + (aim.of_shadow ? " copies" : "") + baseline;
}

/// What keeps the step from being left; empty: nothing.
std::string lacking(const RolloutPlan& plan, const RolloutWindow& window, const StepAim& aim,
                    const std::vector<GateReading>& readings) {
  const uint64_t least =
      aim.compares ? std::min(window.canary.requests, window.baseline.requests) : window.canary.requests;
  if (least < plan.min_requests)
    return "not enough traffic: " + counts_text(aim, window) + "; each needs " + std::to_string(plan.min_requests);
  if (aim.pairs && window.copies.compared < plan.min_requests)
    return "not enough answers to compare: " + std::to_string(window.copies.compared) + "; it takes " +
           std::to_string(plan.min_requests) + " (of the copies " + std::to_string(window.copies.failed) + " failed, " +
           std::to_string(window.copies.shed) + " were shed and " + std::to_string(window.copies.not_compared) +
           " could not be compared)";
  if (!aim.proves) return "";
  for (const GateReading& reading : readings)
    if (!reading.proven)
      return (reading.gate.starts_with("memory") ? "nothing proves " : "not enough traffic to prove ") + reading.gate +
             ": " + reading.text + ", from " + counts_text(aim, window);
  return "";
}

}  // namespace

ComputeComparison compare_compute(const RolloutWindow& window, double p) {
  LatencyCounts canary;
  std::vector<double> baseline;  // by bucket, weighted
  for (const auto& [rows, counts] : window.canary.compute) {
    const auto it = window.baseline.compute.find(rows);
    if (it == window.baseline.compute.end()) continue;
    const auto n = static_cast<double>(total_of(counts)), m = static_cast<double>(total_of(it->second));
    if (n == 0 || m == 0) continue;
    add_to(canary, counts);
    if (baseline.size() < it->second.size()) baseline.resize(it->second.size());
    for (size_t bucket = 0; bucket < it->second.size(); ++bucket)
      baseline[bucket] += static_cast<double>(it->second[bucket]) * n / m;
  }
  if (canary.empty()) return {};
  // The weights as counts that are fine enough.
  constexpr double kFine = 1e4;
  LatencyCounts weighted(baseline.size());
  std::transform(baseline.begin(), baseline.end(), weighted.begin(),
                 [](double weight) { return static_cast<uint64_t>(std::llround(weight * kFine)); });
  return {quantile_us(canary, p), quantile_us(weighted, p)};
}

bool is_crash(const RolloutWindow& window) { return window.canary.crashes > window.baseline.crashes; }

bool is_error_burst(const RolloutWindow& second) {
  constexpr uint64_t kErrors = 10;
  const double canary = share(second.canary);
  return second.canary.errors >= kErrors && canary >= 0.5 && share(second.baseline) <= canary / 2;
}

RolloutDecision decide(const RolloutPlan& plan, size_t step, bool hold_is_over, const RolloutWindow& window) {
  RolloutDecision out;
  const StepAim aim = aim_of(plan, step);
  const Thresholds thresholds = thresholds_of(plan);
  for (const RolloutGate& gate : plan.gates)
    if (aim.reads(gate)) out.readings.push_back(read_gate(gate, aim.of_shadow, window, thresholds));
  for (const GateReading& reading : out.readings)
    if (reading.breached)
      return {RolloutVerdict::kRollBack,
              "gate " + reading.gate + " is breached: " + reading.text + ", from " + counts_text(aim, window),
              std::move(out.readings)};
  if (!hold_is_over) {
    out.why = "its hold time is not over";
    return out;
  }
  out.why = lacking(plan, window, aim, out.readings);
  if (!out.why.empty()) {
    out.verdict = RolloutVerdict::kHold;
    return out;
  }
  out.verdict = aim.compares ? RolloutVerdict::kGoOn : RolloutVerdict::kPromote;
  out.why = (aim.proves ? "every gate is proven, from " : "no gate is breached, from ") + counts_text(aim, window);
  return out;
}

}  // namespace modelmill
