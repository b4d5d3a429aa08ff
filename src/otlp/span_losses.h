#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"

namespace modelmill {

/// Tells of spans that are lost: the first at once, later ones once a minute at most, each reason with its own number.
/// Thread-safe; `tell` is called by whoever adds or flushes.
class SpanLosses {
 public:
  using Tell = std::function<void(int64_t spans, const std::string& why)>;

  explicit SpanLosses(Tell tell) : tell_(std::move(tell)) {}

  void add(int64_t spans, std::string_view why);
  /// Tells what is untold.
  void flush();

 private:
  using Reasons = std::vector<std::pair<std::string, int64_t>>;

  void tell(const Reasons& reasons) const;

  const Tell tell_;
  Mutex mutex_;
  TimePoint told_ MM_GUARDED_BY(mutex_){};
  Reasons untold_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill
