#include "lifecycle/load_tries.h"

#include <utility>

namespace modelmill {

std::optional<TimePoint> LoadTries::failed(const std::string& stamp, const LoadRetries& retries, TimePoint now) {
  if (stamp != stamp_) {
    forget();
    stamp_ = stamp;
  }
  waiting_.clear();
  if (++failures_ > retries.count) return std::nullopt;
  waiting_ = stamp;
  due_ = now + retries.interval;
  return due_;
}

}  // namespace modelmill
