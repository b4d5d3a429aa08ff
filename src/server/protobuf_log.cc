#include "server/protobuf_log.h"

#include <google/protobuf/stubs/logging.h>

#include <string>
#include <utility>

#include "base/log.h"

namespace modelmill {
namespace {

constexpr Duration kInterval = std::chrono::seconds(10);

void take_message(google::protobuf::LogLevel level, const char* /*file*/, int /*line*/, const std::string& message) {
  static LogThrottle throttle(kInterval);
  const bool fatal = level == google::protobuf::LOGLEVEL_FATAL;
  const auto kept_back = throttle.admit(Clock::now());
  if (!kept_back && !fatal) return;
  Log::write(fatal ? LogLevel::kError : LogLevel::kWarning, "protobuf complains of a message",
             {{"reason", message}, {"kept_back", kept_back.value_or(0)}});
}

}  // namespace

std::optional<uint64_t> LogThrottle::admit(TimePoint now) {
  const MutexLock lock(mutex_);
  if (last_ && now - *last_ < interval_) {
    ++kept_back_;
    return std::nullopt;
  }
  last_ = now;
  return std::exchange(kept_back_, 0);
}

void take_over_protobuf_log() { google::protobuf::SetLogHandler(take_message); }

}  // namespace modelmill
