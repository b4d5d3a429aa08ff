#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "otlp/export_options.h"
#include "serve/trace/span_sampling.h"
#include "serve/trace/trace_settings.h"

namespace modelmill {

/// How a server traces from its start on.
struct TraceConfig {
  TraceSettings settings;
  std::string file;  // empty: nothing can be traced into one
  /// Spans go to a collector instead.
  bool opentelemetry = false;
  ExportOptions collector;
  SpanSampling sampling;
  /// What it calls itself there where nobody says another thing.
  std::string service = "modelmill";
  /// What the log is to say at the start.
  std::vector<std::string> warnings;

  /// What was said, so that neither a default nor the environment takes its place.
  struct Given {
    bool level = false, rate = false, queue = false, delay = false, batch = false;
    std::string url;  // as it was written; empty: none
    std::vector<std::pair<std::string, std::string>> resource;
    bool spans() const { return queue || delay || batch || !url.empty() || !resource.empty(); }
  };
  Given given;
};

/// Puts one of Triton's "rate=100", "level=TIMESTAMPS" (given several times: each), "count=5", "mode=triton",
/// "triton,file=FILE", "triton,log-frequency=50", "mode=opentelemetry" and "opentelemetry,SETTING=VALUE" into `config`.
/// INVALID_ARGUMENT shows the forms.
Status add_trace_setting(const std::string& text, TraceConfig& config);

/// Spans go to the collector at `url`: of all requests whose callers don't say that they are not traced, unless
/// settings or the environment say otherwise. INVALID_ARGUMENT for what is no URL.
Status trace_to_collector(const std::string& url, TraceConfig& config);

/// INVALID_ARGUMENT when the settings can't be in force together.
Status check_trace_config(const TraceConfig& config);

/// What Triton's trace extension tells of spans beside the settings.
std::vector<std::pair<std::string, std::string>> told_of_spans(const TraceConfig& config);

}  // namespace modelmill
