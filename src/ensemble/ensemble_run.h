#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "catalog/ensemble_plan.h"
#include "catalog/version_stats.h"
#include "ensemble/combined_answer.h"
#include "ensemble/members.h"
#include "request/infer_request.h"

namespace modelmill {

/// What requests share of a combination's weights.
struct EnsembleWeights {
  std::shared_ptr<CombinationWeights> shared;             // null: it takes none
  std::shared_ptr<const std::vector<std::string>> names;  // of the steps
};

/// One request to an ensemble, as requests to its members. A step begins when its tensors are there, and steps run side
/// by side; tensors are views that the steps share. All members are pinned from the beginning, so that one which is
/// swapped meanwhile serves this request as it was. Lives as long as a member has a request of it, maybe longer than
/// the ensemble itself, and answers once. Thread-safe.
class EnsembleRun : public std::enable_shared_from_this<EnsembleRun> {
 public:
  /// Takes over a request whose inputs have been checked. `members` outlives the run, or lives as long as what it
  /// `keeps`. Without `stats` it is a part of another request: the times of its answer are the sums of its members'.
  static void begin(std::shared_ptr<const EnsemblePlan> plan, EnsembleMembers& members,
                    std::shared_ptr<VersionStats> stats, int64_t version, InferRequestPtr request,
                    EnsembleWeights weights = {}, std::shared_ptr<const void> keeps = nullptr);

  EnsembleRun(std::shared_ptr<const EnsemblePlan> plan, EnsembleMembers& members, std::shared_ptr<VersionStats> stats,
              int64_t version, InferRequestPtr request, EnsembleWeights weights, std::shared_ptr<const void> keeps);

 private:
  /// Of one step: gets its answers.
  class StepSink final : public ResponseSink {
   public:
    StepSink(EnsembleRun& run, size_t step) : run_(run), step_(step) {}
    void on_response(InferResponse response, bool final, bool has_response) override {
      run_.answered(step_, std::move(response), final, has_response);
    }

   private:
    EnsembleRun& run_;  // which it is a part of
    const size_t step_;
  };

  enum class StepState { kWaits, kRuns, kAnswered, kFailed, kNotNeeded };
  struct StepRun {
    StepRun(EnsembleRun& run, size_t step) : sink(run, step) {}
    StepSink sink;
    StepState state = StepState::kWaits;
    size_t missing = 0;  // tensors, and steps that are decided on before it
    VersionPin pin;
    std::optional<InferResponse> response;  // one that is not the last
  };
  /// What is to be done once the lock is gone.
  struct Ending {
    InferRequestPtr request;
    Status error;
    EndedSteps steps;
    std::vector<size_t> unwanted;  // steps that still run
    Duration queued{};             // of all steps together
    ExecutionRecord record;
  };

  void start();
  void choose_steps() MM_REQUIRES(mutex_);
  void need(size_t step, std::vector<bool>& needed, std::vector<size_t>& tensors) MM_REQUIRES(mutex_);
  Status pin_members() MM_REQUIRES(mutex_);
  void put_inputs() MM_REQUIRES(mutex_);
  void set_tensor(size_t tensor, std::optional<Tensor> value) MM_REQUIRES(mutex_);
  void drive();
  /// Of one whose tensors are there. nullopt: the request is not at its end.
  std::optional<Ending> decide_on(size_t step) MM_REQUIRES(mutex_);
  InferRequestPtr request_for(size_t step) MM_REQUIRES(mutex_);
  void answered(size_t step, InferResponse response, bool final, bool has_response);
  void take_outputs(size_t step, InferResponse& response) MM_REQUIRES(mutex_);
  /// nullopt: the request is not at its end.
  std::optional<Ending> step_failed(size_t step, const Status& why) MM_REQUIRES(mutex_);
  bool can_do_without() const MM_REQUIRES(mutex_);
  Status failed_by(const Status& why, size_t step) const MM_REQUIRES(mutex_);
  std::optional<Ending> look_for_end() MM_REQUIRES(mutex_);
  void deadline_passed();
  Ending end(Status error) MM_REQUIRES(mutex_);
  void finish(Ending ending);
  void record_end(Ending& ending, const Status& status) const;
  static void put_sums(const Ending& ending, RequestTimes& times);
  Result<InferResponse> response_of(Ending& ending) const;

  const std::shared_ptr<const EnsemblePlan> plan_;
  EnsembleMembers& members_;
  const std::shared_ptr<VersionStats> stats_;
  const int64_t version_;
  const EnsembleWeights weights_;
  const std::shared_ptr<const void> keeps_;
  const TimePoint began_;
  std::shared_ptr<CancelToken> cancel_;  // of all steps

  Mutex mutex_;
  InferRequestPtr request_ MM_GUARDED_BY(mutex_);  // null once it is answered
  std::deque<StepRun> steps_ MM_GUARDED_BY(mutex_);
  std::vector<std::optional<Tensor>> tensors_ MM_GUARDED_BY(mutex_);
  std::vector<size_t> uses_ MM_GUARDED_BY(mutex_);  // of a tensor, that are yet to come
  std::deque<size_t> ready_ MM_GUARDED_BY(mutex_);
  bool driving_ MM_GUARDED_BY(mutex_) = false;
  size_t answered_ MM_GUARDED_BY(mutex_) = 0;
  size_t failed_ MM_GUARDED_BY(mutex_) = 0;
  size_t left_out_ MM_GUARDED_BY(mutex_) = 0;
  size_t needed_ MM_GUARDED_BY(mutex_) = 0;
  // Of all steps together.
  Duration queued_ MM_GUARDED_BY(mutex_){};
  ExecutionRecord record_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill
