#include "otlp/span_losses.h"

#include <algorithm>
#include <chrono>

namespace modelmill {
namespace {

constexpr auto kTellEvery = std::chrono::minutes(1);
/// A collector words some of them; what goes beyond is told as one.
constexpr size_t kMostReasons = 8;
constexpr std::string_view kOther = "for other reasons";

template <typename Reasons>
auto find(Reasons& reasons, std::string_view why) {
  return std::find_if(reasons.begin(), reasons.end(), [&](const auto& one) { return one.first == why; });
}

}  // namespace

void SpanLosses::add(int64_t spans, std::string_view why) {
  Reasons reasons;
  {
    const MutexLock lock(mutex_);
    auto found = find(untold_, why);
    if (found == untold_.end() && untold_.size() >= kMostReasons) found = find(untold_, why = kOther);
    if (found == untold_.end())
      untold_.emplace_back(why, spans);
    else
      found->second += spans;
    const TimePoint now = Clock::now();
    if (told_ != TimePoint{} && now - told_ < kTellEvery) return;
    told_ = now;
    reasons.swap(untold_);
  }
  tell(reasons);
}

void SpanLosses::flush() {
  Reasons reasons;
  {
    const MutexLock lock(mutex_);
    reasons.swap(untold_);
  }
  tell(reasons);
}

void SpanLosses::tell(const Reasons& reasons) const {
  for (const auto& [why, spans] : reasons) tell_(spans, why);
}

}  // namespace modelmill
