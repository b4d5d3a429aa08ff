#include "cache/version_cache.h"

#include <atomic>
#include <charconv>
#include <new>
#include <string>
#include <utility>

#include "request/background.h"
#include "runtime/turn.h"

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

/// A handler's error is an answer to those who understand it (TorchServe's protocols), with what it says in parameters.
bool says_failure(const InferResponse& response) {
  if (response.parameters.find("error") != nullptr) return true;
  const ParameterValue* const said = response.parameters.find("status");
  const auto* const text = said != nullptr ? std::get_if<std::string>(said) : nullptr;
  int status = 0;
  if (text != nullptr) (void)std::from_chars(text->data(), text->data() + text->size(), status);
  return status >= 400;
}

bool is_kept(const InferResponse& response) { return response.status.ok() && !says_failure(response); }

}  // namespace

/// Stands in for the sink of a request whose answer was not there.
class VersionCache::Keeper final : public ResponseSink {
 public:
  explicit Keeper(std::shared_ptr<VersionCache> cache) : cache_(std::move(cache)) {}

  void on_response(InferResponse response, bool final, bool has_response) override {
    if (!final)
      several_ = true;
    else if (has_response && !several_ && is_kept(response))
      cache_->keep(*this, response);
    sink->on_response(std::move(response), final, has_response);
  }

  uint64_t hash = 0;
  uint64_t changes = 0;                 // of what the answer depends on, before it was computed
  std::shared_ptr<CachedAnswer> asked;  // null: its answer can't be kept
  Duration looked{};
  std::shared_ptr<ResponseSink> sink;  // the client's

 private:
  const std::shared_ptr<VersionCache> cache_;
  bool several_ = false;
};

VersionCache::VersionCache(std::shared_ptr<ResponseCache> cache, std::shared_ptr<VersionStats> stats, Ground ground,
                           Offload* offload, TimeSource& time)
    : cache_(std::move(cache)),
      stats_(std::move(stats)),
      ground_(std::move(ground)),
      offload_(offload),
      time_(time),
      owner_(next_owner()) {
  stats_->tell_cache();
}

VersionCache::~VersionCache() { cache_->forget(owner_); }

void VersionCache::answer(InferRequestPtr request, const Run& run) {
  if (!request->keepable || request->sequence.present() || is_background(*request) ||
      !no_longer_wanted(*request, time_.now()).ok())
    return run(std::move(request));
  const uint64_t bytes = answer_bytes(*request);
  // All of it is read, and of an answer that is found compared.
  const bool is_work = bytes > kLoopBytes && cache_->could_take(bytes);
  if (!is_work || offload_ == nullptr || Turn::current() == nullptr) return look(std::move(request), run);
  // Where too much waits already, it is computed: that is bounded by the queue.
  if (waiting_.fetch_add(1, std::memory_order_relaxed) >= kMostWaiting) {
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    return run(std::move(request));
  }
  const auto waiting = std::make_shared<InferRequestPtr>(std::move(request));
  const auto look_later = [self = shared_from_this(), waiting, run] {
    self->waiting_.fetch_sub(1, std::memory_order_relaxed);
    self->look(std::move(*waiting), run);
  };
  if (offload_->run(look_later)) return;
  waiting_.fetch_sub(1, std::memory_order_relaxed);
  run(std::move(*waiting));
}

void VersionCache::look(InferRequestPtr request, const Run& run) {
  const TimePoint start = time_.now();
  std::shared_ptr<const CachedAnswer> found;
  try {
    found = find(*request, start);
  } catch (const std::bad_alloc&) {
    // It is computed, and its answer not kept.
  }
  if (found)
    answer_with(*found, start, std::move(request));
  else
    run(std::move(request));
}

std::shared_ptr<const CachedAnswer> VersionCache::find(InferRequest& request, TimePoint start) {
  const AnswerGround now = ground();
  if (!now.known) return nullptr;
  auto keeper = std::make_shared<Keeper>(shared_from_this());
  // Inputs that are too large to be kept need no looking for.
  if (cache_->takes(answer_bytes(request))) {
    gather(request);
    const AnswerScope asked{owner_, now.epoch};
    keeper->changes = now.changes;
    keeper->hash = question_hash(asked, request);
    if (auto found = cache_->find(keeper->hash, asked, request, start)) return found;
    keeper->asked = std::make_shared<CachedAnswer>(asked, request);
  }
  keeper->looked = time_.now() - start;
  keeper->sink = request.replace_sink(keeper);
  return nullptr;
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
  const AnswerGround now = ground();
  // A change that was taken back may have met it.
  const bool still = now.known && now.changes == keeper.changes;
  if (answer && still && cache_->takes(answer->question_bytes() + answer_bytes(response))) {
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
