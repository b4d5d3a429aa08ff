#include "cache/response_cache.h"

#include <iterator>
#include <utility>

#include "base/brief_lock.h"

namespace modelmill {
namespace {

/// How many entries are dropped under a lock at once.
constexpr int kPiece = 64;

}  // namespace

/// Room for an answer, counted before there is any; given back when it is not kept.
class ResponseCache::Reserved {
 public:
  Reserved(Totals& totals, uint64_t bytes) : totals_(totals), bytes_(bytes) {
    totals_.bytes.fetch_add(bytes_, std::memory_order_relaxed);
    totals_.entries.fetch_add(1, std::memory_order_relaxed);
  }
  ~Reserved() {
    if (kept_) return;
    totals_.bytes.fetch_sub(bytes_, std::memory_order_relaxed);
    totals_.entries.fetch_sub(1, std::memory_order_relaxed);
  }
  Reserved(const Reserved&) = delete;
  Reserved& operator=(const Reserved&) = delete;
  void keep() { kept_ = true; }

 private:
  Totals& totals_;
  const uint64_t bytes_;
  bool kept_ = false;
};

ResponseCache::ResponseCache(CacheLimits limits, MetricRegistry* metrics)
    : limits_(limits), totals_(std::make_shared<Totals>()) {
  if (metrics != nullptr) tell(*metrics);
}

void ResponseCache::Shard::note_oldest() {
  oldest.store(entries.empty() ? kNever : entries.back().used, std::memory_order_relaxed);
}

void ResponseCache::Shard::drop(Entries::iterator entry, Entries& into) {
  if (const auto owner = owners.find(entry->answer->scope().owner); owner != owners.end())
    owner->second.erase(entry->hash);
  into.splice(into.end(), entries, entry);
}

bool ResponseCache::Shard::drop_some(uint64_t owner, Entries& into) {
  const auto found = owners.find(owner);
  if (found == owners.end()) return false;
  Places& places = found->second;
  for (int left = kPiece; left > 0 && !places.empty(); --left) {
    into.splice(into.end(), entries, places.begin()->second);
    places.erase(places.begin());
  }
  const bool more = !places.empty();
  if (!more) owners.erase(found);
  note_oldest();
  return more;
}

std::shared_ptr<const CachedAnswer> ResponseCache::find(uint64_t hash, AnswerScope scope, const InferRequest& request,
                                                        TimePoint now) {
  const size_t index = index_of(hash);
  Shard& shard = shards_[index];
  std::shared_ptr<const CachedAnswer> found;
  {
    const BriefLock lock(shard.mutex);
    if (const auto owner = shard.owners.find(scope.owner); owner != shard.owners.end())
      if (const auto it = owner->second.find(hash); it != owner->second.end()) {
        shard.entries.splice(shard.entries.begin(), shard.entries, it->second);
        it->second->used = now;
        found = it->second->answer;
        shard.note_oldest();
      }
  }
  if (found && !found->is_of(scope, request)) found.reset();
  Totals::Part& part = totals_->parts[index];
  (found ? part.hits : part.misses).fetch_add(1, std::memory_order_relaxed);
  return found;
}

bool ResponseCache::takes(uint64_t bytes) {
  if (could_take(bytes)) return true;
  totals_->too_large.fetch_add(1, std::memory_order_relaxed);
  return false;
}

bool ResponseCache::put(uint64_t hash, std::shared_ptr<const CachedAnswer> answer, TimePoint now) {
  const uint64_t bytes = answer->bytes();
  const uint64_t owner = answer->scope().owner;
  if (!takes(bytes)) return false;
  Entries made, dropped;
  made.push_back({hash, std::move(answer), now});
  // Room first: what others have room for and have not put in yet can't be taken from them, so there may be none.
  Reserved room(*totals_, bytes);
  while (is_over())
    if (!evict_one()) return false;
  Shard& shard = shards_[index_of(hash)];
  {
    const BriefLock lock(shard.mutex);
    // What may throw comes first.
    const auto [place, fresh] = shard.owners[owner].try_emplace(hash, made.begin());
    if (!fresh) dropped.splice(dropped.end(), shard.entries, std::exchange(place->second, made.begin()));
    shard.entries.splice(shard.entries.begin(), made);
    shard.note_oldest();
  }
  room.keep();
  give_back(dropped);
  return true;
}

void ResponseCache::forget(uint64_t owner) {
  for (Shard& shard : shards_)
    for (bool more = true; more;) {
      Entries dropped;
      {
        const BriefLock lock(shard.mutex);
        more = shard.drop_some(owner, dropped);
      }
      give_back(dropped);
    }
}

bool ResponseCache::is_over() const {
  return (limits_.bytes > 0 && bytes() > limits_.bytes) || (limits_.entries > 0 && entries() > limits_.entries);
}

/// Drops the entry that was not used for longest, of all; false: there is none.
bool ResponseCache::evict_one() {
  while (true) {
    Shard* with_oldest = nullptr;
    TimePoint oldest = kNever;
    for (Shard& shard : shards_)
      if (const TimePoint used = shard.oldest.load(std::memory_order_relaxed); used < oldest) {
        oldest = used;
        with_oldest = &shard;
      }
    if (with_oldest == nullptr) return false;
    Entries dropped;
    {
      const BriefLock lock(with_oldest->mutex);
      if (with_oldest->entries.empty()) continue;  // another thread was quicker
      with_oldest->drop(std::prev(with_oldest->entries.end()), dropped);
      with_oldest->note_oldest();
    }
    give_back(dropped);
    totals_->evictions.fetch_add(1, std::memory_order_relaxed);
    return true;
  }
}

void ResponseCache::give_back(const Entries& dropped) {
  for (const Entry& entry : dropped) totals_->bytes.fetch_sub(entry.answer->bytes(), std::memory_order_relaxed);
  totals_->entries.fetch_sub(dropped.size(), std::memory_order_relaxed);
}

void ResponseCache::tell(MetricRegistry& metrics) {
  const auto read = [totals = totals_](std::atomic<uint64_t> Totals::*member) {
    return [totals, member] { return static_cast<double>(((*totals).*member).load(std::memory_order_relaxed)); };
  };
  const auto sum = [totals = totals_](std::atomic<uint64_t> Totals::Part::*member) {
    return [totals, member] {
      uint64_t all = 0;
      for (const Totals::Part& part : totals->parts) all += (part.*member).load(std::memory_order_relaxed);
      return static_cast<double>(all);
    };
  };
  const auto count = [&](const char* name, const char* help, std::function<double()> value) {
    series_.push_back(metrics.counter_from(name, help, {}, std::move(value)));
  };
  const auto gauge = [&](const char* name, const char* help, std::function<double()> value) {
    series_.push_back(metrics.gauge_from(name, help, {}, std::move(value)));
  };
  count("modelmill_cache_hits_total", "Questions that the response cache knew the answer to", sum(&Totals::Part::hits));
  count("modelmill_cache_misses_total", "Questions that it did not", sum(&Totals::Part::misses));
  count("modelmill_cache_evictions_total", "Answers that made room for others", read(&Totals::evictions));
  count("modelmill_cache_too_large_total", "Answers that are larger than the response cache may be",
        read(&Totals::too_large));
  gauge("modelmill_cache_entries", "Answers in the response cache", read(&Totals::entries));
  gauge("modelmill_cache_bytes", "Bytes that the response cache takes, with those of the questions",
        read(&Totals::bytes));
  if (limits_.bytes > 0)
    gauge("modelmill_cache_limit_bytes", "Bytes that it may take",
          [limit = limits_.bytes] { return static_cast<double>(limit); });
}

}  // namespace modelmill
