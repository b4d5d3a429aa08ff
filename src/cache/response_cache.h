#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "cache/cached_answer.h"
#include "runtime/metrics.h"

namespace modelmill {

/// Bounds of what a cache keeps; 0: that is not bounded.
struct CacheLimits {
  uint64_t bytes = 0;
  uint64_t entries = 0;

  /// What a cache may take that is bounded by a number only.
  static constexpr uint64_t kDefaultBytes = uint64_t{1} << 30;
  /// The same, where there are any, with a bound of bytes.
  CacheLimits with_bytes() const { return {any() && bytes == 0 ? kDefaultBytes : bytes, entries}; }
  bool any() const { return bytes > 0 || entries > 0; }
};

/// Answers of all models that want theirs kept, of which those not asked for longest go when there is no room.
/// Thread-safe: who looks something up holds one of sixteen locks for a few dozen instructions, and neither compares
/// nor frees under it. What is kept never passes the limits, not for a moment.
///
/// A question is found by a number of 64 bits, and then compared as a whole: two questions of the same number are never
/// taken for each other. The later one has the place.
class ResponseCache {
 public:
  /// `metrics` may be null: nobody is told.
  explicit ResponseCache(CacheLimits limits, MetricRegistry* metrics = nullptr);

  /// The answer to this request, which has this number; null: it is not there.
  std::shared_ptr<const CachedAnswer> find(uint64_t hash, AnswerScope scope, const InferRequest& request,
                                           TimePoint now);
  /// Whether an answer that takes so many bytes or more could be kept.
  bool could_take(uint64_t bytes) const { return limits_.bytes == 0 || bytes <= limits_.bytes; }
  /// The same; counts those that can't.
  bool takes(uint64_t bytes);
  /// Keeps an answer under the number of its question. False: it is larger than all that may be kept. May throw
  /// std::bad_alloc; then everything is as it was.
  bool put(uint64_t hash, std::shared_ptr<const CachedAnswer> answer, TimePoint now);
  /// Drops all answers of an owner, a few at a time, so that others go on meanwhile. No more are put for it.
  void forget(uint64_t owner);

  const CacheLimits& limits() const { return limits_; }
  uint64_t bytes() const { return totals_->bytes.load(std::memory_order_relaxed); }
  uint64_t entries() const { return totals_->entries.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kShards = 16;

  /// What metrics read, also for a while when the cache is gone.
  struct Totals {
    struct alignas(64) Part {
      std::atomic<uint64_t> hits{0}, misses{0};
    };
    std::array<Part, kShards> parts;
    std::atomic<uint64_t> bytes{0}, entries{0}, evictions{0}, too_large{0};
  };
  struct Entry {
    uint64_t hash;
    std::shared_ptr<const CachedAnswer> answer;
    TimePoint used;
  };
  using Entries = std::list<Entry>;
  using Places = std::unordered_map<uint64_t, Entries::iterator>;  // by the number of the question
  struct alignas(64) Shard {
    Mutex mutex;
    Entries entries MM_GUARDED_BY(mutex);  // the last one used is the first
    std::unordered_map<uint64_t, Places> owners MM_GUARDED_BY(mutex);
    /// When the last entry was used, kNever without one; written under the lock.
    std::atomic<TimePoint> oldest{kNever};

    void note_oldest() MM_REQUIRES(mutex);
    /// Moves an entry to `into`.
    void drop(Entries::iterator entry, Entries& into) MM_REQUIRES(mutex);
    /// Moves some of an owner's entries to `into`; false: it has none any more.
    bool drop_some(uint64_t owner, Entries& into) MM_REQUIRES(mutex);
  };

  class Reserved;

  static size_t index_of(uint64_t hash) { return hash >> 60; }
  bool is_over() const;
  bool evict_one();
  void give_back(const Entries& dropped);
  void tell(MetricRegistry& metrics);

  const CacheLimits limits_;
  const std::shared_ptr<Totals> totals_;
  std::array<Shard, kShards> shards_;
  std::vector<MetricRegistry::Handle> series_;
};

}  // namespace modelmill
