#include "server/trace_config.h"

#include <charconv>
#include <string_view>

namespace modelmill {
namespace {

Status no_setting(const std::string& text) {
  return invalid_argument("'" + text + "' is no trace setting; they are level=TIMESTAMPS, level=TENSORS, rate=N, " +
                          "count=N, triton,file=FILE and triton,log-frequency=N");
}

template <typename T>
Status read_number(const std::string& text, std::string_view value, int64_t least, T& into) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < least || number > INT32_MAX)
    return invalid_argument("'" + text + "' has no number between " + std::to_string(least) + " and " +
                            std::to_string(INT32_MAX));
  into = static_cast<T>(number);
  return ok_status();
}

Status add_level(const std::string& text, std::string_view value, TraceSettings& settings) {
  if (value == "OFF")
    settings.level = kTraceOff;
  else if (value == "TIMESTAMPS")
    settings.level |= kTraceTimestamps;
  else if (value == "TENSORS")
    settings.level |= kTraceTensors;
  else
    return invalid_argument("'" + text + "' names no trace level; they are OFF, TIMESTAMPS and TENSORS");
  return ok_status();
}

}  // namespace

Status add_trace_setting(const std::string& text, TraceConfig& config) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals + 1 == text.size()) return no_setting(text);
  const std::string_view name = std::string_view(text).substr(0, equals);
  const std::string_view value = std::string_view(text).substr(equals + 1);
  TraceSettings& settings = config.settings;
  if (name == "level") return add_level(text, value, settings);
  if (name == "rate") return read_number(text, value, 1, settings.rate);
  if (name == "count") return read_number(text, value, -1, settings.count);
  if (name == "triton,log-frequency") return read_number(text, value, 0, settings.log_frequency);
  if (name == "triton,file") {
    config.file = value;
    return ok_status();
  }
  if (name != "mode") return no_setting(text);
  if (value == "triton") return ok_status();
  return invalid_argument("'" + text + "' is no way to trace here; mode=triton writes files");
}

Status check_trace_config(const TraceConfig& config) {
  if (config.settings.level == kTraceOff || !config.file.empty()) return ok_status();
  return invalid_argument("--trace-config names a level but no file; add --trace-config triton,file=FILE");
}

}  // namespace modelmill
