#pragma once

#include <span>
#include <string>
#include <vector>

#include "experiment/arm_totals.h"
#include "experiment/confidence_sequence.h"
#include "experiment/experiment_definition.h"

namespace modelmill {

/// An arm of an experiment, as it was when that began.
struct ExperimentArm {
  std::string name;  // the target of the route
  double share = 0;  // of the users; all sum to 1
  bool operator==(const ExperimentArm&) const = default;
};

enum class ExperimentVerdict {
  kRunning,
  kNoDifference,     // all arms are within the margin of each other
  kWinner,           // one arm is better than each of the others
  kGuardrailBreach,  // an arm is worse than control by more than a guardrail's margin
  kSampleRatio,      // users are not given to arms as the route's shares say: nothing that was counted can be trusted
};
/// "running", "no difference", "winner", "guardrail breached", "sample ratio mismatch".
const char* experiment_verdict_name(ExperimentVerdict verdict);

enum class GuardrailState { kOpen, kKept, kBreached };
/// "open", "kept", "breached".
const char* guardrail_state_name(GuardrailState state);

struct GuardrailReading {
  size_t guardrail = 0, arm = 0;
  GuardrailState state = GuardrailState::kOpen;
  DifferenceInterval interval;  // the arm less control
};

/// What the numbers say now.
struct ExperimentReading {
  ExperimentVerdict verdict = ExperimentVerdict::kRunning;
  size_t arm = 0;  // the winner, or what breached a guardrail
  std::string why;
  std::vector<DifferenceInterval> differences;  // of the goal, by arm: less control; control's own is unknown
  std::vector<GuardrailReading> guardrails;
  double ratio_evidence = 0;  // against the shares
  /// Of a difference as large as the margin being found by the planned users, with control's variance; below 0:
  /// unknown.
  double power = -1;
};

/// The probability of a false alarm of the sample ratio.
inline constexpr double kSampleRatioAlpha = 0.001;

/// Reads an experiment. Pure; `totals` are of the arms, and `control` is one of them. It may be asked after every user:
/// each verdict is wrong, ever, with a probability of at most alpha, which the pairs of arms share; the guardrails have
/// one of their own, which they share. `with_power`: it takes some milliseconds.
ExperimentReading read_experiment(const ExperimentDefinition& definition, std::span<const ExperimentArm> arms,
                                  size_t control, std::span<const ArmTotals> totals, bool with_power = false);

}  // namespace modelmill
