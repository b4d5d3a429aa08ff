#include "cache/version_cache.h"

#include <atomic>
#include <new>
#include <utility>

#include "request/background.h"

namespace modelmill {
namespace {

uint64_t next_owner() {
  static std::atomic<uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

/// A tensor's bytes in one piece, as they are looked at several times.
void gather(InferRequest& request) {
  for (Tensor& input : request.inputs) {
    if (input.data.size() < 2) continue;
    Bytes whole = input.contiguous();
    input.data.clear();
    input.data.push_back(std::move(whole));
  }
}

}  // namespace

/// Stands in for the sink of a request whose answer was not there.
class VersionCache::Keeper final : public ResponseSink {
 public:
  explicit Keeper(std::shared_ptr<VersionCache> cache) : cache_(std::move(cache)) {}

  void on_response(InferResponse response, bool final, bool has_response) override {
    if (!final)
      several_ = true;
    else if (has_response && !several_ && response.status.ok())
      cache_->keep(*this, response);
    sink->on_response(std::move(response), final, has_response);
  }

  uint64_t hash = 0;
  std::shared_ptr<CachedAnswer> asked;  // null: its answer can't be kept
  Duration looked{};
  std::shared_ptr<ResponseSink> sink;  // the client's

 private:
  const std::shared_ptr<VersionCache> cache_;
  bool several_ = false;
};

VersionCache::VersionCache(std::shared_ptr<ResponseCache> cache, std::shared_ptr<VersionStats> stats, Epoch epoch,
                           TimeSource& time)
    : cache_(std::move(cache)), stats_(std::move(stats)), epoch_(std::move(epoch)), time_(time), owner_(next_owner()) {
  stats_->tell_cache();
}

VersionCache::~VersionCache() { cache_->forget(owner_); }

bool VersionCache::answer(InferRequestPtr& request) {
  const TimePoint start = time_.now();
  if (request->sequence.present() || is_background(*request) || !no_longer_wanted(*request, start).ok()) return false;
  auto keeper = std::make_shared<Keeper>(shared_from_this());
  // Inputs that are too large to be kept need no looking for.
  if (cache_->takes(answer_bytes(*request))) {
    gather(*request);
    const AnswerScope asked = scope();
    keeper->hash = question_hash(asked, *request);
    if (const auto found = cache_->find(keeper->hash, asked, *request, start)) {
      answer_with(*found, start, std::move(request));
      return true;
    }
    keeper->asked = std::make_shared<CachedAnswer>(asked, *request);
  }
  keeper->looked = time_.now() - start;
  keeper->sink = request->replace_sink(keeper);
  return false;
}

void VersionCache::answer_with(const CachedAnswer& found, TimePoint start, InferRequestPtr request) {
  RequestTimes& times = request->times;
  times.compute_start = times.input_end = times.infer_end = start;
  times.compute_end = time_.now();
  stats_->answered_from_cache(times, times.compute_end - start);
  request->complete(found.response());
}

/// Before the client has it: its next request finds it.
void VersionCache::keep(Keeper& keeper, const InferResponse& response) {
  const TimePoint start = time_.now();
  const std::shared_ptr<CachedAnswer> answer = std::move(keeper.asked);
  // And what it depends on is as it was.
  const bool still = answer && answer->scope() == scope();
  if (still && cache_->takes(answer->question_bytes() + answer_bytes(response))) {
    try {
      answer->take(response);
      cache_->put(keeper.hash, answer, start);
    } catch (const std::bad_alloc&) {
      // Whoever asks again has to have it computed again.
    }
  }
  stats_->missed_in_cache(keeper.looked + (time_.now() - start));
}

}  // namespace modelmill
