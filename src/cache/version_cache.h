#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "cache/response_cache.h"
#include "catalog/version_stats.h"
#include "request/infer_request.h"

namespace modelmill {

/// What a version does with the server's cache: its requests are answered out of it, and answers that were not there
/// are kept when they come. Its entries go with it, so with the version. Held in a shared_ptr. Thread-safe.
///
/// Passed by are requests of sequences, those of the background, and those that nobody wants any more; not kept are
/// errors, and answers in several parts.
class VersionCache final : public std::enable_shared_from_this<VersionCache> {
 public:
  /// A number that changes with what else the answers depend on than their requests; thread-safe.
  using Epoch = std::function<uint64_t()>;

  /// `epoch` null: they depend on nothing else. `time` outlives it.
  VersionCache(std::shared_ptr<ResponseCache> cache, std::shared_ptr<VersionStats> stats, Epoch epoch = nullptr,
               TimeSource& time = TimeSource::steady());
  ~VersionCache();

  /// True: the request was complete before this returned, and is gone. Else it has another sink, which keeps its
  /// answer. The request is queued (its times say when), has no observer yet, and holds its version.
  bool answer(InferRequestPtr& request);

 private:
  class Keeper;

  AnswerScope scope() const { return {owner_, epoch_ ? epoch_() : 0}; }
  void answer_with(const CachedAnswer& found, TimePoint start, InferRequestPtr request);
  void keep(Keeper& keeper, const InferResponse& response);

  const std::shared_ptr<ResponseCache> cache_;
  const std::shared_ptr<VersionStats> stats_;
  const Epoch epoch_;
  TimeSource& time_;
  const uint64_t owner_;
};

}  // namespace modelmill
