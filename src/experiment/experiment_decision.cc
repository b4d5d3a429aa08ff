#include "experiment/experiment_decision.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace modelmill {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

/// What all that is asked of an experiment needs.
struct Reader {
  const ExperimentDefinition& definition;
  std::span<const ExperimentArm> arms;
  size_t control;
  std::span<const ArmTotals> totals;

  double planned_of_pair() const {
    return 2 * static_cast<double>(definition.users) / static_cast<double>(arms.size());
  }
  DifferenceInterval interval(size_t metric, size_t arm, size_t base, double alpha) const {
    const ValueTotals &a = totals[arm].metrics[metric], &b = totals[base].metrics[metric];
    return definition.metric(metric).is_binary ? rate_interval(a, b, alpha, planned_of_pair())
                                               : difference_interval(a, b, alpha, planned_of_pair());
  }
  bool has_enough(size_t arm) const { return totals[arm].counted() >= definition.min_users; }
  double alpha_of_pair() const { return definition.alpha / (static_cast<double>(arms.size() * (arms.size() - 1)) / 2); }
  double alpha_of_guardrail() const {
    return definition.alpha / static_cast<double>(definition.guardrails.size() * (arms.size() - 1));
  }
  std::string interval_text(const DifferenceInterval& interval) const {
    return number(interval.difference) + " (" + number(interval.low) + " to " + number(interval.high) + ")";
  }

  /// Of a user's value of the goal, between control and an arm that is better by the margin.
  double variance_at_margin() const;

  void read_sample_ratio(ExperimentReading& out) const;
  void read_guardrails(ExperimentReading& out) const;
  void read_goal(ExperimentReading& out) const;
  /// Whether `arm` is better than `other` for certain.
  bool beats(size_t arm, size_t other) const;
  bool is_within_margin(size_t arm, size_t other) const;
};

double Reader::variance_at_margin() const {
  const ValueTotals& goal = totals[control].metrics[0];
  if (!definition.goal.is_binary) return goal.variance();
  const double rate = std::clamp(goal.mean + (definition.goal.is_lower_better ? -1 : 1) * definition.margin, 0.0, 1.0);
  return goal.users < 2 ? 0 : (goal.variance() + rate * (1 - rate)) / 2;
}

void Reader::read_sample_ratio(ExperimentReading& out) const {
  std::vector<uint64_t> exposed;
  std::vector<double> shares;
  for (size_t i = 0; i < arms.size(); ++i) {
    exposed.push_back(totals[i].exposed);
    shares.push_back(arms[i].share);
  }
  out.ratio_evidence = sample_ratio_evidence(exposed, shares);
  if (out.ratio_evidence <= std::log(1 / kSampleRatioAlpha)) return;
  out.verdict = ExperimentVerdict::kSampleRatio;
  out.why = "users come to the arms in other shares than the route's:";
  uint64_t all = 0;
  for (const uint64_t n : exposed) all += n;
  for (size_t i = 0; i < arms.size(); ++i)
    out.why += (i == 0 ? " " : ", ") + arms[i].name + " has " + std::to_string(exposed[i]) + " where " +
               number(static_cast<double>(all) * shares[i]) + " are due";
  out.why += "; find out why before anything is concluded";
}

void Reader::read_guardrails(ExperimentReading& out) const {
  for (size_t g = 0; g < definition.guardrails.size(); ++g) {
    const ExperimentGuardrail& guardrail = definition.guardrails[g];
    for (size_t arm = 0; arm < arms.size(); ++arm) {
      if (arm == control) continue;
      // One side of an interval that is wrong on either with twice the probability.
      GuardrailReading reading{g, arm, GuardrailState::kOpen, interval(g + 1, arm, control, 2 * alpha_of_guardrail())};
      const DifferenceInterval& found = reading.interval;
      const double least_harm = guardrail.metric.is_lower_better ? found.low : -found.high;
      const double most_harm = guardrail.metric.is_lower_better ? found.high : -found.low;
      if (found.is_known && has_enough(arm) && has_enough(control)) {
        if (least_harm > guardrail.margin) reading.state = GuardrailState::kBreached;
        if (most_harm <= guardrail.margin) reading.state = GuardrailState::kKept;
      }
      if (reading.state == GuardrailState::kBreached && out.verdict == ExperimentVerdict::kRunning) {
        out.verdict = ExperimentVerdict::kGuardrailBreach;
        out.arm = arm;
        out.why = arms[arm].name + " breaks " + guardrail.text + ": it differs from " + arms[control].name + " by " +
                  interval_text(found);
      }
      out.guardrails.push_back(reading);
    }
  }
}

bool Reader::beats(size_t arm, size_t other) const {
  if (!has_enough(arm) || !has_enough(other)) return false;
  const DifferenceInterval found = interval(0, arm, other, alpha_of_pair());
  return found.is_known && (definition.goal.is_lower_better ? found.high < 0 : found.low > 0);
}

bool Reader::is_within_margin(size_t arm, size_t other) const {
  if (!has_enough(arm) || !has_enough(other)) return false;
  const DifferenceInterval found = interval(0, arm, other, alpha_of_pair());
  return found.is_known && found.low >= -definition.margin && found.high <= definition.margin;
}

void Reader::read_goal(ExperimentReading& out) const {
  bool all_within = definition.margin > 0;
  for (size_t arm = 0; arm < arms.size(); ++arm) {
    bool is_best = true;
    for (size_t other = 0; other < arms.size(); ++other) {
      if (other == arm) continue;
      is_best = is_best && beats(arm, other);
      all_within = all_within && (other > arm || is_within_margin(arm, other));
    }
    if (is_best && out.verdict == ExperimentVerdict::kRunning) {
      out.verdict = ExperimentVerdict::kWinner;
      out.arm = arm;
      out.why = arms[arm].name + " is better in " + definition.goal.name + " than every other arm";
      if (const size_t other = arm != control ? control : control == 0 ? 1 : 0; arms.size() == 2)
        out.why +=
            ": it differs from " + arms[other].name + " by " + interval_text(interval(0, arm, other, alpha_of_pair()));
    }
  }
  if (all_within && out.verdict == ExperimentVerdict::kRunning) {
    out.verdict = ExperimentVerdict::kNoDifference;
    out.why = "no two arms differ in " + definition.goal.name + " by more than " + number(definition.margin);
  }
}

}  // namespace

const char* experiment_verdict_name(ExperimentVerdict verdict) {
  switch (verdict) {
    case ExperimentVerdict::kRunning: return "running";
    case ExperimentVerdict::kNoDifference: return "no difference";
    case ExperimentVerdict::kWinner: return "winner";
    case ExperimentVerdict::kGuardrailBreach: return "guardrail breached";
    case ExperimentVerdict::kSampleRatio: return "sample ratio mismatch";
  }
  return "";
}

const char* guardrail_state_name(GuardrailState state) {
  switch (state) {
    case GuardrailState::kOpen: return "open";
    case GuardrailState::kKept: return "kept";
    case GuardrailState::kBreached: return "breached";
  }
  return "";
}

ExperimentReading read_experiment(const ExperimentDefinition& definition, std::span<const ExperimentArm> arms,
                                  size_t control, std::span<const ArmTotals> totals, bool with_power) {
  const Reader reader{definition, arms, control, totals};
  ExperimentReading out;
  reader.read_sample_ratio(out);
  reader.read_guardrails(out);
  for (size_t arm = 0; arm < arms.size(); ++arm)
    out.differences.push_back(arm == control ? DifferenceInterval()
                                             : reader.interval(0, arm, control, reader.alpha_of_pair()));
  reader.read_goal(out);
  const double variance = reader.variance_at_margin();
  if (with_power && definition.margin > 0 && variance > 0)
    out.power = power_of(definition.margin, variance, reader.planned_of_pair(),
                         2 * static_cast<double>(definition.min_users), reader.alpha_of_pair());
  if (out.verdict != ExperimentVerdict::kRunning) return out;
  out.why = "no arm is better than the others for certain";
  for (size_t arm = 0; arm < arms.size(); ++arm)
    if (!reader.has_enough(arm)) {
      out.why = arms[arm].name + " has " + std::to_string(totals[arm].counted()) + " of " +
                std::to_string(definition.min_users) + " users whose window is over";
      break;
    }
  return out;
}

}  // namespace modelmill
