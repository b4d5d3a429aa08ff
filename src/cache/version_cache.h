#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "cache/response_cache.h"
#include "catalog/version_stats.h"
#include "request/infer_request.h"
#include "runtime/offload.h"

namespace modelmill {

/// What answers depend on besides their requests, at a moment.
struct AnswerGround {
  /// Of one number it is the same.
  uint64_t epoch = 0;
  /// While this stays, it was the same all the time.
  uint64_t changes = 0;
  /// False: it is changing, or more than can be told.
  bool known = true;
};

/// What a version does with the server's cache: its requests are answered out of it, and answers that were not there
/// are kept when they come. Its entries go with it, so with the version. Held in a shared_ptr. Thread-safe.
///
/// Passed by are requests that are not keepable, of sequences and of the background, and those that nobody wants any
/// more; not kept are errors, as statuses or in the words of TorchServe's handlers, and answers in several parts.
class VersionCache final : public std::enable_shared_from_this<VersionCache> {
 public:
  /// What its answers depend on now; thread-safe.
  using Ground = std::function<AnswerGround()>;
  /// Has a request run whose answer is not there.
  using Run = std::function<void(InferRequestPtr)>;

  /// `ground` null: they depend on nothing else. `offload` looks for the answers to large requests; null: whoever asks
  /// does. Both it and `time` outlive it.
  VersionCache(std::shared_ptr<ResponseCache> cache, std::shared_ptr<VersionStats> stats, Ground ground = nullptr,
               Offload* offload = nullptr, TimeSource& time = TimeSource::steady());
  ~VersionCache();

  /// Completes the request, or has it run, with another sink that keeps its answer: before this returns, but for a
  /// request that is more than a loop should go through. The request is queued (its times say when), has no observer
  /// yet, and holds its version.
  void answer(InferRequestPtr request, const Run& run);

 private:
  class Keeper;
  static constexpr int kMostWaiting = 64;

  void look(InferRequestPtr request, const Run& run);
  /// Null: the answer is not there, and the request has a sink that keeps it if it may be kept. May throw
  /// std::bad_alloc; then the request is as it was.
  std::shared_ptr<const CachedAnswer> find(InferRequest& request, TimePoint start);
  AnswerGround ground() const { return ground_ ? ground_() : AnswerGround(); }
  void answer_with(const CachedAnswer& found, TimePoint start, InferRequestPtr request);
  void keep(Keeper& keeper, const InferResponse& response);

  const std::shared_ptr<ResponseCache> cache_;
  const std::shared_ptr<VersionStats> stats_;
  const Ground ground_;
  Offload* const offload_;
  /// Large requests whose answers are yet to be looked for, which no queue's bounds know of.
  std::atomic<int> waiting_{0};
  TimeSource& time_;
  const uint64_t owner_;
};

}  // namespace modelmill
