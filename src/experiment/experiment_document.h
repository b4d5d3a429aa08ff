#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "experiment/experiment_decision.h"
#include "experiment/experiment_definition.h"
#include "state/kept_documents.h"

namespace modelmill {

enum class ExperimentPhase { kRunning, kDeployed, kStopped };
/// "running", "deployed", "stopped".
const char* experiment_phase_name(ExperimentPhase phase);

/// One experiment, as it stands. Whom it has seen is in its journal.
struct Experiment {
  uint64_t number = 0;  // from 1 on, of this name
  std::string started_at, started_by;
  ExperimentDefinition definition;
  std::vector<ExperimentArm> arms;  // those of the route's split that it found
  size_t control = 0;
  uint64_t assignment = 0;  // assignment_hash() of the route then
  bool by_request = false;  // the route has no sticky key
  ExperimentPhase phase = ExperimentPhase::kRunning;
  /// What was concluded first; an alarm takes the place of what was concluded without it.
  ExperimentVerdict verdict = ExperimentVerdict::kRunning;
  size_t verdict_arm = 0;
  std::string why;         // that was concluded
  std::string decided_at;  // empty: nothing was
  std::string ended_at, ended_by;
  std::string deployed;   // the arm that got all; empty: none
  bool is_placed = true;  // the route leads there, since it was decided
  std::string results;    // JSON: the numbers at the end; empty while it runs

  bool is_active() const { return phase == ExperimentPhase::kRunning; }
  bool operator==(const Experiment&) const = default;
};

/// What has become of what a file wants.
enum class ExperimentWishState { kWaiting, kRunning, kDeployed, kStopped };
/// "waiting", "running", "deployed", "stopped".
const char* experiment_wish_state_name(ExperimentWishState state);

/// The experiment that a file wants of a name. Each is begun once: when it has ended it is not begun again as long as
/// the file says the same.
struct ExperimentWish {
  std::string plan;         // JSON, as experiment_plan_text() makes it
  std::string file, place;  // empty: no file wants it any more, and it is remembered as what has been
  ExperimentWishState state = ExperimentWishState::kWaiting;
  uint64_t experiment = 0;  // the number of the one that it began; 0: none
  std::string why;          // it waits
  bool operator==(const ExperimentWish&) const = default;
};

/// What is kept of a name: its last experiment, and what a file wants of it.
struct ExperimentDocument {
  std::optional<Experiment> last;
  std::optional<ExperimentWish> wish;
  bool operator==(const ExperimentDocument&) const = default;
};

/// The JSON document that is kept, with "format": 1, and its reading. FAILED_PRECONDITION for another format, or what
/// this release does not know and would lose by writing.
std::string experiment_document_text(const ExperimentDocument& document);
Result<ExperimentDocument> parse_experiment_document(const std::string& text);

/// The experiments' documents in a store, or in memory where there is none. For one thread at a time.
class ExperimentRecords final : public KeptDocuments<ExperimentDocument> {
 public:
  explicit ExperimentRecords(OpenStore store)
      : KeptDocuments(std::move(store),
                      {"experiments/", "experiment", experiment_document_text, parse_experiment_document}) {}
};

}  // namespace modelmill
