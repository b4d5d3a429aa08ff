#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "catalog/combination_weights.h"
#include "catalog/ensemble_plan.h"
#include "catalog/weight_control.h"
#include "learning/feedback_request.h"
#include "learning/member_loss.h"
#include "learning/weight_document.h"
#include "runtime/metrics.h"
#include "runtime/steward.h"

namespace modelmill {

/// What becomes of feedback.
enum class FeedbackCount { kCounted, kDuplicate, kUnknown, kFrozen };
inline constexpr size_t kFeedbackCounts = 4;
/// "counted", "duplicate", "unknown", "frozen".
const char* feedback_count_name(FeedbackCount which);

/// A combination that is loaded, and what was learned of it.
struct LearnedCombination {
  std::shared_ptr<const EnsemblePlan> plan;
  std::vector<std::string> names;  // of its members, in the order of the steps
  std::vector<double> weights;     // by member; sum to 1
  WeightRecords::Record record;
  bool is_dirty = false;  // the record lacks what was learned since
  std::array<uint64_t, kFeedbackCounts> counts{};
  /// Of the feedback that this process has counted.
  std::vector<double> losses;       // sums, by member
  std::vector<uint64_t> took_part;  // how often, by member
  double own_loss = 0;              // sum of the means of the losses by the weights that there were
  uint64_t learned = 0;             // how often that was: some of its members were there still
  std::string problem;              // that the log was told of last
  std::shared_ptr<CombinationWeights> shared;
  std::vector<std::shared_ptr<Gauge>> gauges;  // by member
  std::array<std::shared_ptr<Counter>, kFeedbackCounts> counters;

  bool learns() const { return plan->combination.learning.has_value(); }
};

/// Learns the weights of combinations of what is told of their answers, sets them, and keeps them over restarts. Of the
/// processes that share a store one at a time learns for a name, the one that holds its lease; the others follow it.
/// Thread-safe.
class WeightKeeper final : public WeightControl {
 public:
  struct Options {
    WeightRecords::OpenStore store;
    /// UTC, ISO 8601.
    std::function<std::string()> now;
  };

  /// `metrics` must outlive it.
  WeightKeeper(MetricRegistry& metrics, Options options);
  ~WeightKeeper() override;

  /// A combination was planned: what its requests are to share. Null of other ensembles, and of those without weights.
  /// Weights that were learned before are in force again, by the members' names.
  std::shared_ptr<CombinationWeights> attach(const std::shared_ptr<const EnsemblePlan>& plan);

  /// Writes what was learned, each second, on a thread of its own.
  void begin_looking();
  /// Writes the rest.
  void stop();
  /// What the thread does.
  void look();

  Result<std::string> list() override;
  Result<std::string> show(const std::string& name) override;
  Result<std::string> feedback(const std::string& name, std::string_view batch) override;
  Result<std::string> set(const std::string& name, std::string_view request, const std::string& by) override;
  Result<std::string> freeze(const std::string& name, bool frozen, const std::string& by) override;
  Result<std::string> reset(const std::string& name, const std::string& by) override;

 private:
  /// A batch of feedback, held against the answers; nothing of it has counted yet.
  struct Judged {
    std::vector<FeedbackCount> results;  // of each
    std::vector<std::shared_ptr<const MemberAnswers>> answers;
    std::vector<std::vector<double>> losses;
  };

  Result<LearnedCombination*> find(const std::string& name) MM_REQUIRES(mutex_);
  Result<LearnedCombination*> find_held(const std::string& name) MM_REQUIRES(mutex_);
  static Result<Judged> judge(const LearnedCombination& one, const std::vector<Feedback>& batch);
  void learn(LearnedCombination& one, const MemberAnswers& answers, const std::vector<double>& losses)
      MM_REQUIRES(mutex_);
  /// Puts the weights in force that the record and the configuration say.
  void settle(LearnedCombination& one) MM_REQUIRES(mutex_);
  void publish(LearnedCombination& one) MM_REQUIRES(mutex_);
  Status write(const std::string& name, LearnedCombination& one) MM_REQUIRES(mutex_);
  using Change = std::function<Status(const LearnedCombination&, WeightDocument&)>;
  /// As somebody wants it, written before it is in force.
  Result<std::string> change(const std::string& name, const std::string& by, const Change& how);
  Status change_held(const std::string& name, LearnedCombination& one, const std::string& by, const Change& how)
      MM_REQUIRES(mutex_);
  void name_members(LearnedCombination& one) MM_REQUIRES(mutex_);
  Status follow(const std::string& name, LearnedCombination& one) MM_REQUIRES(mutex_);

  MetricRegistry& metrics_;
  const Options options_;
  Mutex mutex_;
  WeightRecords records_ MM_GUARDED_BY(mutex_);
  std::map<std::string, LearnedCombination> combinations_ MM_GUARDED_BY(mutex_);

  Steward steward_;  // last: it uses the others
};

}  // namespace modelmill
