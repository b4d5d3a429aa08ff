#include "dialect/kserve_v2/log_settings.h"

#include <algorithm>

namespace modelmill::kserve_v2 {
namespace {

std::optional<LogFormat> format_named(const std::string& name, LogFormat first) {
  if (name == "default") return first;
  if (name == "text" || name == "ISO8601") return LogFormat::kText;
  if (name == "json") return LogFormat::kJson;
  return std::nullopt;
}

void enable(LogLevel level, const std::optional<bool>& on) {
  if (on) Log::enable(level, *on);
}

}  // namespace

LogSettings::Values LogSettings::values() const {
  const MutexLock lock(mutex_);
  return {Log::enabled(LogLevel::kInfo), Log::enabled(LogLevel::kWarning), Log::enabled(LogLevel::kError),
          Log::enabled(LogLevel::kDebug) ? std::max(uint32_t{1}, verbose_level_) : 0, format_};
}

Status LogSettings::apply(const Change& change) {
  const MutexLock lock(mutex_);
  std::optional<LogFormat> format;
  if (change.format) {
    format = format_named(*change.format, first_format_);
    if (!format)
      return invalid_argument("invalid argument for log_format, got: " + *change.format +
                              "; known are default, ISO8601, text and json");
    format_ = *change.format;
    Log::set_format(*format);
  }
  if (change.verbose_level) {
    verbose_level_ = *change.verbose_level;
    Log::enable(LogLevel::kDebug, verbose_level_ > 0);
  }
  enable(LogLevel::kInfo, change.info);
  enable(LogLevel::kWarning, change.warning);
  enable(LogLevel::kError, change.error);
  return ok_status();
}

Status log_file_refused() { return unimplemented("log file location can not be updated through network protocol"); }

}  // namespace modelmill::kserve_v2
