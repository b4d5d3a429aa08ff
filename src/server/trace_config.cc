#include "server/trace_config.h"

#include <charconv>
#include <chrono>
#include <string_view>

namespace modelmill {
namespace {

constexpr std::string_view kOpentelemetry = "opentelemetry,";

Status no_setting(const std::string& text) {
  return invalid_argument(
      "'" + text + "' is no trace setting; they are level=TIMESTAMPS, level=TENSORS, rate=N, count=N, mode=triton, " +
      "triton,file=FILE, triton,log-frequency=N, mode=opentelemetry, opentelemetry,url=URL, " +
      "opentelemetry,resource=KEY=VALUE, opentelemetry,bsp_max_queue_size=N, opentelemetry,bsp_schedule_delay=MS and " +
      "opentelemetry,bsp_max_export_batch_size=N");
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

Status add_level(const std::string& text, std::string_view value, TraceConfig& config) {
  TraceSettings& settings = config.settings;
  if (value == "OFF")
    settings.level = kTraceOff;
  else if (value == "TIMESTAMPS")
    settings.level |= kTraceTimestamps;
  else if (value == "TENSORS")
    settings.level |= kTraceTensors;
  else
    return invalid_argument("'" + text + "' names no trace level; they are OFF, TIMESTAMPS and TENSORS");
  config.given.level = true;
  return ok_status();
}

Status set_url(const std::string& url, TraceConfig& config) {
  MM_RETURN_IF_ERROR(set_collector(url, config.collector));
  config.given.url = url;
  return ok_status();
}

Status add_resource(const std::string& text, std::string_view value, TraceConfig& config) {
  const size_t equals = value.find('=');
  if (equals == std::string_view::npos || equals == 0)
    return invalid_argument("'" + text + "' names no attribute; expected opentelemetry,resource=KEY=VALUE");
  config.given.resource.emplace_back(value.substr(0, equals), value.substr(equals + 1));
  return ok_status();
}

/// One of "opentelemetry,NAME=VALUE".
Status add_span_setting(const std::string& text, std::string_view name, std::string_view value, TraceConfig& config) {
  ExportOptions& options = config.collector;
  TraceConfig::Given& given = config.given;
  if (name == "url") return set_url(std::string(value), config);
  if (name == "resource") return add_resource(text, value, config);
  if (name == "bsp_max_queue_size") {
    given.queue = true;
    return read_number(text, value, 1, options.max_queue);
  }
  if (name == "bsp_max_export_batch_size") {
    given.batch = true;
    return read_number(text, value, 1, options.max_batch);
  }
  if (name != "bsp_schedule_delay") return no_setting(text);
  int64_t ms = 0;
  MM_RETURN_IF_ERROR(read_number(text, value, 0, ms));
  given.delay = true;
  options.delay = std::chrono::milliseconds(ms);
  return ok_status();
}

Status set_mode(const std::string& text, std::string_view value, TraceConfig& config) {
  if (value != "triton" && value != "opentelemetry")
    return invalid_argument("'" + text + "' is no way to trace; mode=triton writes files, and mode=opentelemetry " +
                            "sends spans to a collector");
  config.opentelemetry = value == "opentelemetry";
  return ok_status();
}

}  // namespace

Status add_trace_setting(const std::string& text, TraceConfig& config) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals + 1 == text.size()) return no_setting(text);
  const std::string_view name = std::string_view(text).substr(0, equals);
  const std::string_view value = std::string_view(text).substr(equals + 1);
  TraceSettings& settings = config.settings;
  if (name.starts_with(kOpentelemetry))
    return add_span_setting(text, name.substr(kOpentelemetry.size()), value, config);
  if (name == "level") return add_level(text, value, config);
  if (name == "rate") {
    MM_RETURN_IF_ERROR(read_number(text, value, 0, settings.rate));
    config.given.rate = true;
    return ok_status();
  }
  if (name == "count") return read_number(text, value, -1, settings.count);
  if (name == "triton,log-frequency") return read_number(text, value, 0, settings.log_frequency);
  if (name == "mode") return set_mode(text, value, config);
  if (name != "triton,file") return no_setting(text);
  config.file = value;
  return ok_status();
}

Status trace_to_collector(const std::string& url, TraceConfig& config) {
  MM_RETURN_IF_ERROR(set_url(url, config));
  config.opentelemetry = true;
  config.sampling.caller = SpanSampling::Caller::kFollowed;
  if (!config.given.level) config.settings.level = kTraceTimestamps;
  if (!config.given.rate) config.settings.rate = 1;
  return ok_status();
}

Status check_trace_config(const TraceConfig& config) {
  const TraceSettings& settings = config.settings;
  if (config.opentelemetry) {
    if (!config.file.empty())
      return invalid_argument(
          "traces go either into a file or to a collector; leave out --trace-config triton,file=FILE, or "
          "mode=opentelemetry and --trace-otlp");
    if ((settings.level & kTraceTensors) != 0)
      return invalid_argument("spans have no tensors; --trace-config level=TENSORS needs triton,file=FILE");
    return ok_status();
  }
  if (config.given.spans())
    return invalid_argument("--trace-config opentelemetry,... needs --trace-config mode=opentelemetry or --trace-otlp");
  if (settings.rate == 0)
    return invalid_argument("--trace-config rate=0 traces nothing into a file; it is for mode=opentelemetry");
  if (settings.level == kTraceOff || !config.file.empty()) return ok_status();
  return invalid_argument("--trace-config names a level but no file; add --trace-config triton,file=FILE");
}

std::vector<std::pair<std::string, std::string>> told_of_spans(const TraceConfig& config) {
  std::vector<std::pair<std::string, std::string>> told;
  if (!config.given.url.empty()) {
    const std::string shown = shown_path(config.collector);
    told.emplace_back("url",
                      shown == config.collector.path ? config.given.url : config.collector.server.text() + shown);
  }
  for (const auto& [key, value] : config.given.resource) told.emplace_back("resource", key + "=" + value);
  const ExportOptions& options = config.collector;
  told.emplace_back("bsp_max_queue_size", std::to_string(options.max_queue));
  told.emplace_back("bsp_schedule_delay", std::to_string(options.delay.count()));
  told.emplace_back("bsp_max_export_batch_size", std::to_string(options.max_batch));
  return told;
}

}  // namespace modelmill
