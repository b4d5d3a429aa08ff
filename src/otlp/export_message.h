#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "otlp/export_options.h"
#include "otlp/span.h"

namespace modelmill {

/// The body of a POST with these spans: OTLP's ExportTraceServiceRequest. `epoch` is the time since 1970 at which the
/// monotonic clock was zero.
std::string export_message(const ExportOptions& options, const std::vector<Span>& spans,
                           std::chrono::nanoseconds epoch);

/// See export_message().
std::chrono::nanoseconds monotonic_epoch();

/// What a collector that took spans says of them.
struct ExportReply {
  int64_t rejected = 0;  // spans
  std::string message;
};

/// Reads an ExportTraceServiceResponse; what is none says nothing.
ExportReply read_export_reply(std::string_view body);

}  // namespace modelmill
